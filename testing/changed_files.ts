/** Copies of case files with one value changed, and the suite's results for them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type CaseResult,
  type ConformanceCase,
  loadCases,
  memorySource,
  runConformance,
} from '../conformance/index.js';
import { nodeLoaders } from '../conformance/node.js';
import { standardBackend } from '../conformance/runners/standard.js';

const root = fileURLToPath(new URL('../fixtures/', import.meta.url));
const CHANGE = 1e-2;

interface Entry {
  readonly dtype: string;
  readonly data_offsets: readonly [number, number];
}

/** A file of fixtures/. */
export function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(root + path));
}

/**
 * A copy of a file with one element of a tensor off by 1e-2, or an id off by one.
 * @param at position in the tensor, in [0, 1)
 */
export function changedCopy(path: string, tensor: string, at: number, bytes = bytesOf(path)): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = Number(view.getBigUint64(0, true));
  const header: Record<string, Entry> = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const { dtype, data_offsets } = header[tensor];
  const size = dtype === 'F64' ? 8 : 4;
  const count = (data_offsets[1] - data_offsets[0]) / size;
  const offset = 8 + length + data_offsets[0] + Math.floor(at * count) * size;
  if (dtype === 'F32') view.setFloat32(offset, view.getFloat32(offset, true) + CHANGE, true);
  else if (dtype === 'F64') view.setFloat64(offset, view.getFloat64(offset, true) + CHANGE, true);
  else view.setInt32(offset, view.getInt32(offset, true) + 1, true);
  return bytes;
}

/** The files in a folder, by relative path. */
export function filesOf(folder: string): Map<string, Uint8Array> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    names.map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      return [relative(folder, path).split(sep).join('/'), new Uint8Array(readFileSync(path))];
    }),
  );
}

/** The files in a folder of fixtures/, by relative path. */
export function fixtureFolder(folder: string): Map<string, Uint8Array> {
  return filesOf(root + folder);
}

/** The cases of files, except those with 8-bit weights, which only use the input and the trees of a file. */
export const casesOf = async (files: Map<string, Uint8Array>) =>
  (await loadCases(memorySource(files))).filter(({ op }) => !op.endsWith(', int8'));

/** The cases of files that fail on wasm; of those that are `chosen`, if only these matter. */
export const failures = async (
  files: Map<string, Uint8Array>,
  chosen: (each: ConformanceCase) => boolean = () => true,
) => {
  const cases = (await casesOf(files)).filter(chosen);
  const report = await runConformance({ backends: [standardBackend('wasm', nodeLoaders)], cases });
  return report.cases.filter(({ verdict }) => verdict === 'fail');
};

/** The first case that fails on each backend; the cases after it are not run. */
export const firstFailures = async (files: Map<string, Uint8Array>, names: readonly ('cpu' | 'wasm')[]) => {
  const cases = await casesOf(files);
  const found: (CaseResult | undefined)[] = [];
  for (const name of names) {
    const backends = [standardBackend(name, nodeLoaders)];
    let failed: CaseResult | undefined;
    for (const each of cases) {
      const [result] = (await runConformance({ backends, cases: [each] })).cases;
      if (result.verdict !== 'fail') continue;
      failed = result;
      break;
    }
    found.push(failed);
  }
  return found;
};
