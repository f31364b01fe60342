/** Compares kernels of the backend `cuda` with those of tfjs's backend `cpu`. */
import * as tf from '@tensorflow/tfjs';
import type { Test } from 'tap';
import { counts } from '../index.js';
import { onBoth, relativeDifference } from './cuda_backend.js';

/** For sums of up to a few thousand terms, relative to the largest. */
const SUMS_CLOSE = 2e-6;

/**
 * Checks that both backends compute the same, that nothing is read back in between, that a second run gives the same bits,
 * and that nothing is leaked.
 * @param tolerance of the difference, relative to the largest value; 0 for equal numbers
 */
export async function compare(
  t: Test,
  what: string,
  compute: () => tf.Tensor | tf.Tensor[],
  tolerance = 0,
): Promise<void> {
  const before = memory();
  const { downloads } = counts();
  const { expected, found } = await onBoth(compute);
  const readBack = counts().downloads - downloads;
  const again = [tf.tidy(compute)].flat();
  const differences = expected.map((tensor, i) => relativeDifference(tensor, found[i]));
  const isClose =
    found.length === expected.length && differences.every((difference) => difference <= tolerance);
  t.ok(isClose, `${what}: ${found.length} of ${expected.length} results, differences ${differences}`);
  t.ok(
    found.every((tensor, i) => bytesOf(again[i]).equals(bytesOf(tensor))),
    `${what}: the same bits again`,
  );
  tf.dispose([expected, found, again]);
  t.equal(readBack, 0, `${what} reads nothing back`);
  t.same(memory(), before, `${what} leaves nothing`);
}

/** {@link compare} with the tolerance for sums. */
export function compareSums(
  t: Test,
  what: string,
  compute: () => tf.Tensor | tf.Tensor[],
  tolerance = SUMS_CLOSE,
): Promise<void> {
  return compare(t, what, compute, tolerance);
}

function bytesOf(tensor: tf.Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = tensor.dataSync();
  return Buffer.from(buffer, byteOffset, byteLength);
}

function memory(): { numTensors: number; numBytesOnDevice: number } {
  const { numTensors, numBytesOnDevice } = tf.memory() as tf.MemoryInfo & { numBytesOnDevice: number };
  return { numTensors, numBytesOnDevice };
}

/** Bytes of device memory held by tensors. */
export function deviceBytes(): number {
  return memory().numBytesOnDevice;
}

/** Numbers from 0 to 1, which are the same for all tensors: computed once. */
const uniforms: number[] = [];

/** Reproducible pseudo-random numbers: from -2 to 2, or integers from -9 to 9, or booleans. */
export function numbers(shape: number[], dtype: 'float32' | 'int32' | 'bool' = 'float32'): tf.Tensor {
  const values = new Float32Array(tf.util.sizeFromShape(shape));
  for (let i = 0; i < values.length; i++) {
    uniforms[i] ??= Math.abs(Math.sin(12.9898 * (i + 1)) * 43758.5453) % 1;
    const uniform = uniforms[i];
    if (dtype === 'float32') values[i] = 4 * uniform - 2;
    else values[i] = dtype === 'int32' ? Math.floor(19 * uniform) - 9 : Math.round(uniform);
  }
  return tf.tensor(values, shape, dtype);
}

/** Random numbers from -1 to 1, the same for a seed on every backend. */
export function random(shape: number[], seed = 1): tf.Tensor {
  return tf.randomUniform(shape, -1, 1, 'float32', seed);
}
