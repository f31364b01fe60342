/** Compares tree kernels with the plain ones of the backend `cpu`, for tests. */
import * as tf from '@tensorflow/tfjs';
import type { Test } from 'tap';
import { onBoth, relativeDifference } from '../backend/testing/cuda_backend.js';
import { counts } from '../index.js';

/** Fails unless both backends compute the same, within `bound` of the largest value of each tensor. */
export async function compare(
  t: Test,
  what: string,
  bound: number,
  compute: () => tf.Tensor[],
): Promise<void> {
  const { expected, found } = await onBoth(compute);
  const differences = expected.map((tensor, i) => relativeDifference(tensor, found[i]));
  const largest = Math.max(0, ...differences);
  t.ok(largest <= bound, `${what}: ${largest}`, { differences });
  tf.dispose([expected, found]);
}

/** Fails if `compute` leaks tensors or device memory, or reads anything back. */
export async function checkResources(t: Test, compute: () => void): Promise<void> {
  await tf.setBackend('cuda');
  const measure = () => {
    const { numTensors, numBytesOnDevice } = tf.memory() as tf.MemoryInfo & { numBytesOnDevice: number };
    return { numTensors, numBytesOnDevice };
  };
  compute(); // moves its inputs to the device
  const before = measure();
  const { downloads } = counts();
  compute();
  t.same(measure(), before, 'tensors and device memory');
  t.equal(counts().downloads, downloads, 'nothing is read back');
}
