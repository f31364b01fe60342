/**
 * The general tfjs backend `cuda`: tfjs's built-in ops on an NVIDIA GPU. It knows no op of this package; `../index.ts`
 * registers those on top of it. Importing this module registers kernels, {@link registerCuda} the backend; the device is
 * opened when tfjs starts it.
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
  /** Which GPU, counted from 0 as CUDA does. */
  readonly device?: number;
}

/** tfjs's own GPU backends have 2 and 3; who imports this one means to use it. */
const PRIORITY = 3;

let options: CudaOptions = {};
let running: CudaBackend | undefined;
/** Ops that do not fall back to the CPU kernels of tfjs's registry. */
const exempt = new Set<string>();

/**
 * Registers the backend with tfjs, and the fallback to the CPU for ops that have no kernel yet. May be called again, such
 * as after `tf.removeBackend`, which forgets how a backend is made.
 * @param exemptOps ops that know themselves what to do on a backend without a kernel
 */
export function registerCuda(exemptOps: Iterable<string> = []): void {
  for (const op of exemptOps) exempt.add(op);
  fallBackToCpu(BACKEND, exempt);
  if (!findBackendFactory(BACKEND)) registerBackend(BACKEND, start, PRIORITY);
}

/**
 * Chooses the GPU and how it is used.
 * @throws {Error} when the backend runs already: `tf.removeBackend('cuda')` first; and for numbers that cannot be
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
 * Resolves when the backend can be used: at once.
 * @throws {CudaUnavailableError} that names cause and remedy, where there is no GPU to run on
 */
export async function ready(): Promise<void> {
  registerCuda();
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
