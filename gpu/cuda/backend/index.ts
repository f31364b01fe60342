/**
 * The general tfjs backend `cuda`: tfjs's built-in ops on an NVIDIA GPU. It does not know the ops of this package, which
 * `../index.ts` registers on top of it. Importing this module registers kernels, {@link registerCuda} the backend; the
 * device is opened when tfjs starts the backend.
 */
import '@tensorflow/tfjs-backend-cpu';
import { findBackendFactory, registerBackend } from '@tensorflow/tfjs-core';
import { CudaBackend, type CudaBackendOptions } from './backend.js';
import type { DeviceDescription } from './driver.js';
import { fallBackToCpu } from './fallback.js';
import { BACKEND } from './kernels.js';
import './kernels/index.js';
import { openDevice } from './load_driver.js';

export type { CudaBackendOptions } from './backend.js';
export { CudaBackend } from './backend.js';
export type { DeviceDescription, DriverErrorCode } from './driver.js';
export { CudaOutOfMemoryError, CudaUnavailableError } from './errors.js';

/** Options of {@link configureCuda}. */
export interface CudaOptions extends CudaBackendOptions {
  /** Which GPU, numbered from 0 as in CUDA. */
  readonly device?: number;
}

/** tfjs's own GPU backends have 2 and 3; importing this one implies that it should be used. */
const PRIORITY = 3;

let options: CudaOptions = {};
let running: CudaBackend | undefined;
/** Ops that do not fall back to the CPU kernels of tfjs's registry. */
const exempt = new Set<string>();

/**
 * Registers the backend with tfjs, and the CPU fallback for ops that have no kernel yet. May be called again, for example
 * after `tf.removeBackend`, which forgets how a backend is created.
 * @param exemptOps ops with their own fallback on a backend without a kernel
 */
export function registerCuda(exemptOps: Iterable<string> = []): void {
  for (const op of exemptOps) exempt.add(op);
  fallBackToCpu(BACKEND, exempt);
  if (!findBackendFactory(BACKEND)) registerBackend(BACKEND, start, PRIORITY);
}

/**
 * Chooses the GPU and its options.
 * @throws {Error} if the backend is already running (call `tf.removeBackend('cuda')` first), or a number is invalid.
 */
export function configureCuda(chosen: CudaOptions): void {
  const { device = 0, memoryLimitBytes = 1 } = chosen;
  if (!Number.isInteger(device) || device < 0) {
    throw new Error(`cuda: device is ${device}, expected the number of a GPU, counted from 0`);
  }
  if (!(memoryLimitBytes > 0)) {
    throw new Error(`cuda: memoryLimitBytes is ${memoryLimitBytes}, expected a positive number`);
  }
  if (running) throw new Error("cuda: the backend runs already; tf.removeBackend('cuda') first");
  options = chosen;
  registerCuda();
}

/**
 * Resolves when the backend can be used: immediately.
 * @throws {CudaUnavailableError} that names cause and remedy, if there is no GPU to run on.
 */
export async function ready(): Promise<void> {
  registerCuda();
  start();
}

/**
 * Returns the description of the backend's device, and opens the device if necessary.
 * @throws {CudaUnavailableError}
 */
export function deviceDescription(): DeviceDescription {
  return start().device.description;
}

/** Kernels launched and tensors copied to the device and back, since the backend started. */
export function counts(): CudaBackend['counts'] {
  return start().counts;
}

function start(): CudaBackend {
  running ??= new CudaBackend(openDevice(options.device ?? 0), options, () => {
    running = undefined;
  });
  return running;
}
