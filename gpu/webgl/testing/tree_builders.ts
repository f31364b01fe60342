/** Trees of either builder, for tests in a page. */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, type Tree } from '../../../plugin/index.js';
import { getTreeBuilder, setTreeBuilder, type TreeBuilder } from '../index.js';
import { countGpuWork } from './measure.js';
import type { PageTest } from './page_test.js';

/** What `run` gives when trees are made there; afterwards they are made where they were. */
export async function withBuilder<T>(builder: TreeBuilder, run: () => T | Promise<T>): Promise<T> {
  const before = getTreeBuilder();
  setTreeBuilder(builder);
  try {
    return await run();
  } finally {
    setTreeBuilder(before);
  }
}

/** Weights that the GPU holds: without a read-back the host does not know them. */
export function onGpu(shape: [number, number], low = 0): tf.Tensor {
  return tf.tidy(() => tf.add(tf.randomUniform(shape, low), 0));
}

/** What the three tensors hold. */
export const valuesOf = ({ edgeIndex, order, parent }: Tree) =>
  [edgeIndex, order, parent].map((tensor) => Array.from(tensor.dataSync()));

/** The same three tensors from both builders, and no read-back on the device. */
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
