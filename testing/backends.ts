/** The backends available on this machine, so that the same tests run on all of them. */
import '@tensorflow/tfjs'; // the gradients of the built-in ops, and the cpu backend
import '@tensorflow/tfjs-backend-wasm';
import '../wasm/index.js'; // the kernels under test
import * as tf from '@tensorflow/tfjs-core';
import { backendsOn } from '../plugin/backends.js';

tf.enableProdMode(); // no advice on other backends among the results

/** Node backends that need neither a device nor an addon. */
export const BACKENDS = backendsOn('node').filter((name) => name !== 'cuda' && name !== 'webgpu');
export type BackendName = (typeof BACKENDS)[number];

/** Runs `body` with the backend set, and fails if it leaks tensors. */
export async function onBackend(
  name: BackendName,
  body: () => void | Promise<void>,
): Promise<{ leaked: number }> {
  if (!(await tf.setBackend(name))) throw new Error(`the backend ${name} did not start`);
  await tf.ready();
  const before = tf.memory().numTensors;
  await body();
  return { leaked: tf.memory().numTensors - before };
}
