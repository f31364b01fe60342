/** The same computation without our fused kernels: tfjs's built-in ops, on the same backend, in the same run. */
import * as tf from '@tensorflow/tfjs-core';
import type { OpDeclaration } from '../plugin/ops/declaration.js';

/**
 * Runs `body` while ops that can be composed of built-in ops are so composed. The tree ops, which cannot, keep their
 * kernels: the comparison is then between graphs that differ in nothing else.
 */
export async function withBuiltInOps<T>(
  ops: readonly OpDeclaration[],
  body: () => T | Promise<T>,
): Promise<T> {
  const backendName = tf.getBackend();
  const kernels = ops
    .filter((op) => op.compose)
    .map((op) => tf.getKernel(op.name, backendName))
    .filter((kernel) => kernel != null);
  for (const { kernelName } of kernels) tf.unregisterKernel(kernelName, backendName);
  try {
    return await body();
  } finally {
    for (const kernel of kernels) tf.registerKernel(kernel);
  }
}
