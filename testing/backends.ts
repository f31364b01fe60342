/** The backends that this machine has, so that one test body runs on all of them. */
import '@tensorflow/tfjs'; // the gradients of the built-in ops, and the cpu backend
import '@tensorflow/tfjs-backend-wasm';
import '../wasm/index.js'; // the kernels that are under test
import * as tf from '@tensorflow/tfjs-core';
import { backendsOn } from '../plugin/backends.js';

tf.enableProdMode(); // no advice on other backends between the results

/** Those of Node that need no device and no addon. */
export const BACKENDS = backendsOn('node').filter((name) => name !== 'cuda' && name !== 'webgpu');
export type BackendName = (typeof BACKENDS)[number];

/** Runs `body` with the backend chosen, and fails when it leaves tensors behind. */
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
