/** Runs a computation without our fused kernels: with tfjs's built-in ops, on the same backend, in the same run. */
import * as tf from '@tensorflow/tfjs-core';
import type { OpDeclaration } from '../plugin/ops/declaration.js';

/**
 * Runs `body` with all ops that have a composition of built-in ops replaced by it. The tree ops have none and keep their kernels,
 * so the compared graphs differ in nothing else.
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
