/** Edited case files of fixtures/grootv, and the suite's results for them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CaseResult, runConformance } from '../conformance/index.js';
import { nodeLoaders } from '../conformance/node.js';
import { standardBackend } from '../conformance/runners/standard.js';
import { encodeSafetensors, type SafetensorsTensor } from '../plugin/models/safetensors_writer.js';
import { casesOf } from './changed_files.js';

export const FOLDER = fileURLToPath(new URL('../fixtures/grootv/', import.meta.url));

type Tensors = Map<string, SafetensorsTensor>;
export interface File {
  readonly tensors: Tensors;
  readonly metadata: Record<string, string>;
}

/** A file of fixtures/grootv, parsed for editing. */
export function fixture(name: string): File {
  const bytes = new Uint8Array(readFileSync(`${FOLDER}${name}.safetensors`));
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...header } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  );
  const tensors: Tensors = new Map();
  for (const [
    tensor,
    {
      dtype,
      shape,
      data_offsets: [begin, end],
    },
  ] of Object.entries<{
    dtype: SafetensorsTensor['dtype'];
    shape: number[];
    data_offsets: [number, number];
  }>(header)) {
    tensors.set(tensor, {
      name: tensor,
      dtype,
      shape,
      data: bytes.slice(8 + length + begin, 8 + length + end),
    });
  }
  return { tensors, metadata };
}

export const encoded = ({ tensors, metadata }: File) => encodeSafetensors([...tensors.values()], metadata);

/** The file with its tensors renamed; those without a new name are left out. */
export function renamed(file: File, name: (tensor: string) => string | undefined): File {
  const tensors: Tensors = new Map();
  for (const [tensor, value] of file.tensors) {
    const other = name(tensor);
    if (other !== undefined) tensors.set(other, { ...value, name: other });
  }
  return { ...file, tensors };
}

/** The file with some tensors replaced. */
export function replaced(file: File, ...others: SafetensorsTensor[]): File {
  const tensors = new Map(file.tensors);
  for (const other of others) tensors.set(other.name, other);
  return { ...file, tensors };
}

export const floatsOf = (file: File, name: string) => {
  const { data } = file.tensors.get(name) as SafetensorsTensor;
  return new Float32Array((data as Uint8Array).slice().buffer);
};

/** A float32 tensor converted to another type. */
export function stored(file: File, name: string, dtype: 'F64' | 'F16' | 'BF16'): SafetensorsTensor {
  const values = floatsOf(file, name);
  const { shape } = file.tensors.get(name) as SafetensorsTensor;
  if (dtype === 'F64') return { name, dtype, shape, data: Float64Array.from(values) };
  const bits = new Uint32Array(values.buffer);
  // The upper half of a float32 is a bfloat16; for float16, 1 and 0 are sufficient.
  return {
    name,
    dtype,
    shape,
    data: Uint16Array.from(bits, (b) => (dtype === 'BF16' ? b >> 16 : b ? 0x3c00 : 0)),
  };
}

export const integers = (name: string, shape: number[], values: Iterable<number>): SafetensorsTensor => ({
  name,
  dtype: 'I32',
  shape,
  data: Int32Array.from(values),
});
export const floats = (name: string, shape: number[], values: ArrayLike<number>): SafetensorsTensor => ({
  name,
  dtype: 'F32',
  shape,
  data: Float32Array.from(values),
});

export async function results(files: Readonly<Record<string, Uint8Array>>): Promise<readonly CaseResult[]> {
  const cases = await casesOf(new Map(Object.entries(files)));
  return (await runConformance({ backends: [standardBackend('cpu', nodeLoaders)], cases })).cases;
}

/** The distinct verdicts. */
export const verdicts = (found: readonly CaseResult[]) =>
  [...new Set(found.map(({ verdict }) => verdict))].sort();
