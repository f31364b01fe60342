/** Runs the conformance cases of given files of expected values on one Node backend. */
import { dirname } from 'node:path';
import { type Sampling, sampled } from '../conformance/case.js';
import { loadCases, type Report, runConformance } from '../conformance/index.js';
import { directorySource, nodeLoaders } from '../conformance/node.js';
import { standardBackend } from '../conformance/runners/standard.js';
import type { BackendName } from './backends.js';
import { fixturePath } from './fixtures.js';

/** Cases of 8-bit weights use no expected values, and the default run of the suite computes these on wasm: same model, same images. */
const OF_DEFAULT_RUN: Sampling = [
  ['int8: (mask_rcnn_tiny_expected 94x126|upernet_tiny_expected 70x101)$', 0],
];

/**
 * @param checkpoint such as `dense/upernet_tiny.pth`; its expected values are in the same folder
 * @returns undefined if the files are missing
 */
export async function runExpected(checkpoint: string, backend: BackendName): Promise<Report | undefined> {
  const path = fixturePath(checkpoint.replace('.pth', '_expected.safetensors'));
  if (path === undefined) return undefined;
  const source = directorySource(dirname(path));
  const name = checkpoint.slice(checkpoint.lastIndexOf('/') + 1, -'.pth'.length);
  const files = (await source.list()).filter((file) =>
    [`${name}.pth`, `${name}_expected.safetensors`].includes(file),
  );
  const cases = await loadCases({ ...source, list: async () => files, open: (file) => source.open(file) });
  return runConformance({
    backends: [standardBackend(backend, nodeLoaders)],
    cases: sampled(cases, OF_DEFAULT_RUN),
    seed: 1,
  });
}
