/**
 * A device under watch. WebGPU reports an error after the call that made it has returned, and what a refused kernel
 * leaves behind is a buffer with numbers of an earlier one. Here a backend's functions are wrapped, so that an error is
 * thrown by the reading that waits for the results it spoilt, and by all that uses them afterwards.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { WebgpuDeviceLostError, WebgpuError, WebgpuOutOfMemoryError } from './errors.js';
import { keepIds } from './host_values.js';

const SCOPES: readonly GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation'];

/** Time is counted in windows, which end with a reading and with an error: what was written in some of them is stale. */
interface Failure {
  readonly from: number;
  readonly to: number;
  readonly error: WebgpuError;
}

interface Watch {
  window: number;
  /** In which the scopes were opened. */
  opened: number;
  readonly failures: Failure[];
  lost?: WebgpuDeviceLostError;
  /** Readings that a loss ends. */
  readonly waiting: Set<(error: Error) => void>;
  /** When the windows that are closed have been checked. */
  checked: Promise<unknown>;
  /** In which window a buffer got what it holds. */
  readonly writtenIn: WeakMap<object, number>;
}

/** What is private in tfjs's types. */
interface Pool {
  readonly freeBuffers: Map<string, GPUBuffer[]>;
  numFreeBuffers: number;
  numBytesAllocated: number;
}

const watched = new WeakMap<WebGPUBackend, Watch>();

/** An error of the device as one of ours. @param what failed, where that is known */
function typedError(error: GPUError, what = ''): WebgpuError {
  const message = [what, error.message.trim().replace(/\s*\n\s*/g, ' ')].filter(Boolean).join(': ');
  switch (error.constructor.name) {
    case 'GPUOutOfMemoryError':
      return new WebgpuOutOfMemoryError(message);
    case 'GPUInternalError':
      return new WebgpuError('INTERNAL', message);
    default:
      return new WebgpuError('INVALID_KERNEL', message);
  }
}

/** Watches a backend from now on: what belongs to it afterwards throws typed errors, and never reads stale values. */
export function watchDevice(backend: WebGPUBackend): void {
  if (watched.has(backend)) return;
  const { device, bufferManager } = backend;
  const watch: Watch = {
    window: 0,
    opened: 0,
    failures: [],
    waiting: new Set(),
    checked: Promise.resolve(),
    writtenIn: new WeakMap(),
  };
  device.lost.then(({ reason, message }) => {
    watch.lost = new WebgpuDeviceLostError([reason, message].filter(Boolean).join(': '));
    for (const reject of watch.waiting) reject(watch.lost);
  });
  watched.set(backend, watch);
  openScopes(device);
  // Those of our scopes do not come here: whose these are nobody knows.
  device.addEventListener('uncapturederror', (event) => {
    fail(backend, watch, Number.NEGATIVE_INFINITY, typedError((event as GPUUncapturedErrorEvent).error));
  });

  const { acquireBuffer, releaseBuffer } = bufferManager;
  bufferManager.acquireBuffer = (size, ...rest) => {
    if (size > device.limits.maxBufferSize) {
      throw new WebgpuOutOfMemoryError(
        `a tensor of ${size} bytes was asked for, and a buffer of this device holds at most ${device.limits.maxBufferSize}`,
      );
    }
    const buffer = acquireBuffer.call(bufferManager, size, ...rest);
    watch.writtenIn.set(buffer, watch.window);
    return buffer;
  };
  bufferManager.releaseBuffer = (buffer, reuse = true) =>
    releaseBuffer.call(bufferManager, buffer, reuse && !failureOf(watch, buffer));

  keepIds(backend);
  const { uploadToGPU, readSync } = backend;
  backend.uploadToGPU = (dataId) => {
    throwIfStale(backend, watch, dataId);
    uploadToGPU.call(backend, dataId);
  };
  backend.readSync = (dataId) => {
    const { values, resource } = backend.tensorMap.get(dataId);
    if (resource) throwIfStale(backend, watch, dataId);
    if (resource && values == null && typeof OffscreenCanvas === 'undefined') {
      throw new WebgpuError(
        'READ_SYNCHRONOUSLY',
        'a tensor cannot be read synchronously in Node: await tensor.data() in place of dataSync(), and before it is ' +
          'used on another backend',
      );
    }
    return readSync.call(backend, dataId);
  };
  const read = backend.read.bind(backend);
  backend.read = (dataId) => readChecked(backend, watch, dataId, read);
}

/** Says that a buffer is being written to which was acquired earlier: by a recording that is run again. */
export function markWritten(backend: WebGPUBackend, buffer: GPUBuffer): void {
  const watch = watched.get(backend);
  watch?.writtenIn.set(buffer, watch.window);
}

/** Whether what a buffer holds was spoilt by an error. */
export function isStale(backend: WebGPUBackend, buffer: GPUBuffer): boolean {
  const watch = watched.get(backend);
  return watch !== undefined && failureOf(watch, buffer) !== undefined;
}

/** Runs calls in error scopes of their own, so that what fails is known by its name: for tests and debugging. */
export function inErrorScopes<Result>(backend: WebGPUBackend, what: string, run: () => Result): Result {
  const watch = watched.get(backend);
  if (!watch) return run();
  const from = watch.window;
  openScopes(backend.device);
  try {
    return run();
  } finally {
    closeScopes(backend, watch, from, what);
  }
}

/** @throws {WebgpuDeviceLostError} when the device of a watched backend is lost */
export function throwIfLost(backend: WebGPUBackend): void {
  const lost = watched.get(backend)?.lost;
  if (lost) throw lost;
}

function openScopes(device: GPUDevice): void {
  for (const filter of SCOPES) device.pushErrorScope(filter);
}

/** Closes the scopes that were opened last. What failed in them makes stale what was written since `from`. */
function closeScopes(backend: WebGPUBackend, watch: Watch, from: number, what = ''): void {
  const popped = SCOPES.map(() => backend.device.popErrorScope());
  const found = Promise.allSettled(popped).then((results) => {
    for (const result of results) {
      // On a lost device there are no scopes.
      const error = result.status === 'fulfilled' ? result.value : undefined;
      if (error) fail(backend, watch, from, typedError(error, what));
    }
  });
  watch.checked = Promise.all([watch.checked, found]);
}

/** Ends the window. @returns when the errors of all that are closed are known */
function closeWindow(backend: WebGPUBackend, watch: Watch): Promise<unknown> {
  closeScopes(backend, watch, watch.opened);
  watch.opened = ++watch.window;
  openScopes(backend.device);
  return watch.checked;
}

/** All that was written from a window on is stale: it may have been made of what failed. */
function fail(backend: WebGPUBackend, watch: Watch, from: number, error: WebgpuError): void {
  watch.failures.push({ from, to: watch.window++, error });
  // Free buffers may be such as could not be made.
  const pool = backend.bufferManager as unknown as Pool;
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      pool.numFreeBuffers--;
      pool.numBytesAllocated -= buffer.size;
      buffer.destroy();
    }
  }
}

function failureOf(watch: Watch, buffer: object | null | undefined): WebgpuError | undefined {
  const written = buffer ? watch.writtenIn.get(buffer) : undefined;
  if (written === undefined) return undefined;
  return watch.failures.find(({ from, to }) => written >= from && written <= to)?.error;
}

function throwIfStale(backend: WebGPUBackend, watch: Watch, dataId: object): void {
  if (watch.lost) throw watch.lost;
  const { resource } = backend.tensorMap.get(dataId);
  const error = failureOf(watch, resource);
  if (error) throw error;
}

/** Long enough for the news of a loss to come after the failure of a reading. */
const LOSS_IS_KNOWN_MS = 100;

async function readChecked(
  backend: WebGPUBackend,
  watch: Watch,
  dataId: object,
  read: WebGPUBackend['read'],
): ReturnType<WebGPUBackend['read']> {
  const { values, resource } = backend.tensorMap.get(dataId) ?? {};
  if (resource == null) return read(dataId); // on the host, or of two parts that are read here
  throwIfStale(backend, watch, dataId);
  const throwIfFailed = () => {
    if (watch.lost) throw watch.lost;
    const error = failureOf(watch, resource);
    if (error) throw error;
  };
  let stopWaiting = () => {};
  const loss = new Promise<never>((_, reject) => {
    watch.waiting.add(reject);
    stopWaiting = () => watch.waiting.delete(reject);
  });
  try {
    const reading = read(dataId); // submits all that was recorded, unless it was read before
    const checked = values == null ? closeWindow(backend, watch) : watch.checked;
    const [result] = await Promise.race([Promise.allSettled([reading, checked]), loss]);
    throwIfFailed();
    if (result.status === 'fulfilled') return result.value;
    await Promise.race([loss, new Promise((resolve) => setTimeout(resolve, LOSS_IS_KNOWN_MS))]);
    throw result.reason;
  } finally {
    stopWaiting();
  }
}
