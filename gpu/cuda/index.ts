/**
 * The tfjs backend `cuda`, for Node with an NVIDIA driver. Importing this module registers it with all its kernels;
 * the device is opened when tfjs starts the backend.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { ready } from 'tfjs-grootvl/cuda';
 *
 * await ready(); // throws CudaUnavailableError that says why where there is no GPU
 * await tf.setBackend('cuda');
 * ```
 */
import '@tensorflow/tfjs-backend-cpu';
import { findBackendFactory, registerBackend } from '@tensorflow/tfjs-core';
import '../../plugin/index.js';
import { CudaBackend, type CudaBackendOptions } from './backend.js';
import type { DeviceDescription } from './driver.js';
import { forwardToHost } from './forward.js';
import { BACKEND } from './kernels.js';
import './kernels/index.js';
import { openDevice } from './load_driver.js';

export type { CudaBackendOptions } from './backend.js';
export { CudaBackend } from './backend.js';
export type { DeviceDescription, DriverErrorCode } from './driver.js';
export { CudaOutOfMemoryError, CudaUnavailableError } from './errors.js';

/** Options of {@link configureCuda}. */
export interface CudaOptions extends CudaBackendOptions {
  /** Which GPU, counted from 0 as CUDA does. */
  readonly device?: number;
}

/** tfjs's own GPU backends have 2 and 3; who imports this one wants it. */
const PRIORITY = 3;

let options: CudaOptions = {};
let running: CudaBackend | undefined;

/**
 * Chooses the GPU and how it is used.
 * @throws {Error} when the backend runs already: `tf.removeBackend('cuda')` first; and for numbers that cannot be
 */
export function configureCuda(chosen: CudaOptions): void {
  const { device = 0, memoryLimitBytes = 1 } = chosen;
  if (!Number.isInteger(device) || device < 0) {
    throw new Error(`cuda: device is ${device}; the number of a GPU is wanted, counted from 0`);
  }
  if (!(memoryLimitBytes > 0)) {
    throw new Error(`cuda: memoryLimitBytes is ${memoryLimitBytes}; a positive number is wanted`);
  }
  if (running) throw new Error("cuda: the backend runs already; tf.removeBackend('cuda') first");
  options = chosen;
  register();
}

/**
 * Resolves when the backend can be used: at once.
 * @throws {CudaUnavailableError} that names cause and remedy, where there is no GPU to run on
 */
export async function ready(): Promise<void> {
  register();
  start();
}

/** The device of the backend. Opens it. @throws {CudaUnavailableError} */
export function deviceDescription(): DeviceDescription {
  return start().device.description;
}

/** Kernels started and tensors copied to the device and back, since the backend started. */
export function counts(): CudaBackend['counts'] {
  return start().counts;
}

function start(): CudaBackend {
  running ??= new CudaBackend(openDevice(options.device ?? 0), options, () => {
    running = undefined;
  });
  return running;
}

/** Also after `tf.removeBackend`, which forgets how a backend is made. */
function register(): void {
  forwardToHost(BACKEND);
  if (!findBackendFactory(BACKEND)) registerBackend(BACKEND, start, PRIORITY);
}

register();
