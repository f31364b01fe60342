/**
 * Watches a device for errors. WebGPU reports an error after the call that caused it has returned, and a rejected kernel
 * leaves old numbers in its output buffer. Here a backend's functions are wrapped, so that an error is thrown by the read
 * that waits for the affected results, and by everything that uses them afterwards.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { WebgpuDeviceLostError, WebgpuError, WebgpuOutOfMemoryError } from './errors.js';
import { keepIds } from './host_values.js';

const SCOPES: readonly GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation'];

/** Time is divided into windows, which end with a read and with an error: buffers written in some of them are stale. */
interface Failure {
  readonly from: number;
  readonly to: number;
  readonly error: WebgpuError;
}

interface Watch {
  window: number;
  /** The window in which the scopes were opened. */
  opened: number;
  readonly failures: Failure[];
  lost?: WebgpuDeviceLostError;
  /** Pending reads, which a device loss rejects. */
  readonly waiting: Set<(error: Error) => void>;
  /** Resolves when the closed windows have been checked. */
  checked: Promise<unknown>;
  /** The window in which each buffer was last written. */
  readonly writtenIn: WeakMap<object, number>;
}

/** Private members in tfjs's types. */
interface Pool {
  readonly freeBuffers: Map<string, GPUBuffer[]>;
  numFreeBuffers: number;
  numBytesAllocated: number;
}

const watched = new WeakMap<WebGPUBackend, Watch>();

/**
 * Converts an error of the device to one of ours.
 * @param what failed, if it is known
 */
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

/** Watches a backend from now on: everything that belongs to it throws typed errors, and never returns stale values. */
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
  // Errors caught by our scopes do not arrive here; the origin of these is unknown.
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

/** Marks a buffer that was acquired earlier as being written: by a recording that is replayed. */
export function markWritten(backend: WebGPUBackend, buffer: GPUBuffer): void {
  const watch = watched.get(backend);
  watch?.writtenIn.set(buffer, watch.window);
}

/** Whether the contents of a buffer are invalid because of an error. */
export function isStale(backend: WebGPUBackend, buffer: GPUBuffer): boolean {
  const watch = watched.get(backend);
  return watch !== undefined && failureOf(watch, buffer) !== undefined;
}

/** Runs calls in their own error scopes, so that the failing one is named: for tests and debugging. */
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

/** @throws {WebgpuDeviceLostError} if the device of a watched backend is lost. */
export function throwIfLost(backend: WebGPUBackend): void {
  const lost = watched.get(backend)?.lost;
  if (lost) throw lost;
}

function openScopes(device: GPUDevice): void {
  for (const filter of SCOPES) device.pushErrorScope(filter);
}

/** Closes the scopes that were opened last. An error in them makes everything written since `from` stale. */
function closeScopes(backend: WebGPUBackend, watch: Watch, from: number, what = ''): void {
  const popped = SCOPES.map(() => backend.device.popErrorScope());
  const found = Promise.allSettled(popped).then((results) => {
    for (const result of results) {
      // A lost device has no scopes.
      const error = result.status === 'fulfilled' ? result.value : undefined;
      if (error) fail(backend, watch, from, typedError(error, what));
    }
  });
  watch.checked = Promise.all([watch.checked, found]);
}

/**
 * Ends the window.
 * @returns a promise that resolves when the errors of all closed windows are known
 */
function closeWindow(backend: WebGPUBackend, watch: Watch): Promise<unknown> {
  closeScopes(backend, watch, watch.opened);
  watch.opened = ++watch.window;
  openScopes(backend.device);
  return watch.checked;
}

/** Everything written from a window on is stale, because it may be computed from failed results. */
function fail(backend: WebGPUBackend, watch: Watch, from: number, error: WebgpuError): void {
  watch.failures.push({ from, to: watch.window++, error });
  // Free buffers may include some whose creation failed.
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
  throwIfFailed(watch, backend.tensorMap.get(dataId).resource);
}

function throwIfFailed(watch: Watch, buffer: object | null | undefined): void {
  if (watch.lost) throw watch.lost;
  const error = failureOf(watch, buffer);
  if (error) throw error;
}

/** Long enough for the report of a loss to arrive after a read has failed. */
const LOSS_IS_KNOWN_MS = 100;

async function readChecked(
  backend: WebGPUBackend,
  watch: Watch,
  dataId: object,
  read: WebGPUBackend['read'],
): ReturnType<WebGPUBackend['read']> {
  const { values, resource } = backend.tensorMap.get(dataId) ?? {};
  if (resource == null) return read(dataId); // on the host, or composed of two parts that are read here
  throwIfStale(backend, watch, dataId);
  let stopWaiting = () => {};
  const loss = new Promise<never>((_, reject) => {
    watch.waiting.add(reject);
    stopWaiting = () => watch.waiting.delete(reject);
  });
  try {
    const reading = read(dataId); // submits everything recorded so far, unless it was already read
    const checked = values == null ? closeWindow(backend, watch) : watch.checked;
    const [result] = await Promise.race([Promise.allSettled([reading, checked]), loss]);
    throwIfFailed(watch, resource);
    if (result.status === 'fulfilled') return result.value;
    await Promise.race([loss, new Promise((resolve) => setTimeout(resolve, LOSS_IS_KNOWN_MS))]);
    throw result.reason;
  } finally {
    stopWaiting();
  }
}
