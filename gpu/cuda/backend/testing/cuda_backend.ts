/** The backend `cuda` in tests: on a GPU if requested, else emulated on the host. */
import * as tf from '@tensorflow/tfjs';

/** `GROOTVL_CUDA=device` runs tests on a GPU. */
process.env.GROOTVL_CUDA ??= 'emulation';

/** Starts the backend and makes it the current one. */
export async function startCuda(): Promise<typeof import('../index.js')> {
  const cuda = await import('../index.js');
  tf.enableProdMode();
  await cuda.ready();
  if (!(await tf.setBackend('cuda'))) throw new Error('tfjs could not start the backend cuda');
  return cuda;
}

/** Runs a computation on the backends cpu and cuda; its tensors are read and disposed. */
export async function onBoth(
  compute: () => tf.Tensor | tf.Tensor[],
): Promise<{ expected: tf.Tensor[]; found: tf.Tensor[] }> {
  await tf.setBackend('cpu');
  const expected = [tf.tidy(compute)].flat();
  await tf.setBackend('cuda');
  const found = [tf.tidy(compute)].flat();
  return { expected, found };
}

/** The largest difference between two tensors, relative to the largest value; NaN and infinities must be equal. */
export function relativeDifference(expected: tf.Tensor, found: tf.Tensor): number {
  if (`${expected.shape}` !== `${found.shape}`)
    throw new Error(`shape [${found.shape}], expected [${expected.shape}]`);
  if (expected.dtype !== found.dtype) throw new Error(`${found.dtype}, expected ${expected.dtype}`);
  const [a, b] = [expected.dataSync(), found.dataSync()];
  let largest = 1e-30;
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    if (!Number.isFinite(a[i]) || !Number.isFinite(b[i])) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
  }
  for (const value of a) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  return difference / largest;
}
