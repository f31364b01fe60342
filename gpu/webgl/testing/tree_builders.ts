/** Trees of both builders, for tests in a page. */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, type Tree } from '../../../plugin/index.js';
import { getTreeBuilder, setTreeBuilder, type TreeBuilder } from '../index.js';
import { countGpuWork } from './measure.js';
import type { PageTest } from './page_test.js';

/** Runs `run` with trees built there; the previous builder is restored afterwards. */
export async function withBuilder<T>(builder: TreeBuilder, run: () => T | Promise<T>): Promise<T> {
  const before = getTreeBuilder();
  setTreeBuilder(builder);
  try {
    return await run();
  } finally {
    setTreeBuilder(before);
  }
}

/** Weights on the GPU, which the host does not know without a read-back. */
export function onGpu(shape: [number, number], low = 0): tf.Tensor {
  return tf.tidy(() => tf.add(tf.randomUniform(shape, low), 0));
}

/** The values of the three tensors. */
export const valuesOf = ({ edgeIndex, order, parent }: Tree) =>
  [edgeIndex, order, parent].map((tensor) => Array.from(tensor.dataSync()));

/** Checks that both builders give the same tensors, and that the device needs no read-back. */
export async function sameTrees(
  t: PageTest,
  what: string,
  weights: tf.Tensor,
  edges: tf.Tensor,
  options: { numVertices: number; root?: number },
): Promise<void> {
  const { result: given, counts } = await withBuilder('device', () =>
    countGpuWork(() => boruvkaMST(weights, edges, options)),
  );
  const expected = await withBuilder('host', () => boruvkaMST(weights, edges, options));
  t.equal(counts.readBacks, 0, `${what}: read-backs`);
  t.equal(JSON.stringify(valuesOf(given)) === JSON.stringify(valuesOf(expected)), true, what);
  expected.dispose();
  given.dispose();
}
