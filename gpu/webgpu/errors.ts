/**
 * Errors of the device. WebGPU reports most of them after the call that made them, to nobody in particular, and a
 * kernel that failed leaves what its output buffer held before. So a backend is watched: once something failed on its
 * device, reading from it throws.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

/** Something failed on the device; the message says what. */
export class WebgpuError extends Error {
  override readonly name: string = 'WebgpuError';
}

interface Watched {
  failure?: WebgpuError;
  /** Whether the failure says what was run. */
  isNamed?: boolean;
  /** Error scopes that have not told yet. */
  readonly scopes: Set<Promise<void>>;
}

const watched = new WeakMap<WebGPUBackend, Watched>();

/** Watches a backend from now on. tfjs does not ask its device for errors, so the backend's function is wrapped. */
export function watchDevice(backend: WebGPUBackend): void {
  stateOf(backend);
}

function stateOf(backend: WebGPUBackend): Watched {
  const known = watched.get(backend);
  if (known) return known;
  const state: Watched = { scopes: new Set() };
  watched.set(backend, state);
  const { device } = backend;
  const fail = (message: string) => {
    state.failure ??= new WebgpuError(message);
  };
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault(); // Chromium would only print it
    fail(event.error.message);
  });
  device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') fail(`the GPU device was lost: ${message}`);
  });
  const { read } = backend;
  backend.read = async (dataId) => {
    throwIfFailed(backend);
    const values = await read.call(backend, dataId);
    await Promise.all(state.scopes);
    throwIfFailed(backend);
    return values;
  };
  return state;
}

/** @throws {WebgpuError} when something failed on the device of a backend */
export function throwIfFailed(backend: WebGPUBackend): void {
  const failure = watched.get(backend)?.failure;
  if (failure) throw failure;
}

/** Runs calls in error scopes, so that what fails is known by its name: for tests and `debug`. */
export function inErrorScopes<Result>(backend: WebGPUBackend, what: string, run: () => Result): Result {
  const state = stateOf(backend);
  const filters = ['validation', 'out-of-memory', 'internal'] as const;
  for (const filter of filters) backend.device.pushErrorScope(filter);
  try {
    return run();
  } finally {
    for (const _ of filters) {
      const told = backend.device.popErrorScope().then(
        (error) => {
          state.scopes.delete(told);
          // It names what failed; what the queue says of it afterwards does not.
          if (error && !state.isNamed) {
            state.failure = new WebgpuError(`${what}: ${error.message}`);
            state.isNamed = true;
          }
        },
        () => state.scopes.delete(told), // lost: reported as such
      ) as Promise<void>;
      state.scopes.add(told);
    }
  }
}
