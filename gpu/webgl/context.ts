/**
 * Lost contexts. The browser may take the GPU away at any time: WebGL then ignores every call, and tfjs would read zeros or
 * wait forever. Here a backend is watched, so that everything that runs on it afterwards, including built-in kernels, throws
 * {@link WebglContextLostError} instead.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';

/** The GPU was taken away and its contents are lost. A new backend works: see restart.ts. */
export class WebglContextLostError extends Error {
  constructor() {
    super(
      'the WebGL context was lost, and with it all tensors on the GPU. Start a new backend with restartWebgl() and ' +
        'load the model again.',
    );
    this.name = 'WebglContextLostError';
  }
}

/** For each watched backend, a function that throws if its context is lost. */
const watched = new WeakMap<MathBackendWebGL, () => void>();

/** @throws {WebglContextLostError} if the context of a watched backend is, or ever was, lost. */
export function throwIfLost(backend: MathBackendWebGL): void {
  watched.get(backend)?.();
}

/** Watches a backend from now on. tfjs does not report the loss of a context, so the backend's functions are wrapped. */
export function watchContext(backend: MathBackendWebGL): void {
  if (watched.has(backend)) return;
  const { gl } = backend.getGPGPUContext();
  // A context may be restored, but without its textures, so the loss is permanent.
  let lost = false;
  const waiting = new Set<(error: Error) => void>();
  gl.canvas.addEventListener('webglcontextlost', () => {
    lost = true;
    for (const reject of waiting) reject(new WebglContextLostError());
  });
  const throwIfLost = () => {
    lost ||= gl.isContextLost();
    if (lost) throw new WebglContextLostError();
  };
  watched.set(backend, throwIfLost);
  const guard = <T>(run: () => T): T => {
    throwIfLost();
    let result: T;
    try {
      result = run();
    } catch (error) {
      throwIfLost(); // tfjs fails on a lost context in many ways
      throw error;
    }
    throwIfLost();
    return result;
  };
  const { runWebGLProgram, readSync, read } = backend;
  const isOnHost = (dataId: object) => backend.texData.get(dataId)?.values != null;

  backend.runWebGLProgram = (...args) => guard(() => runWebGLProgram.apply(backend, args));
  backend.readSync = (dataId) => {
    const run = () => readSync.call(backend, dataId);
    return isOnHost(dataId) ? run() : guard(run);
  };
  backend.read = async (dataId) => {
    if (isOnHost(dataId)) return read.call(backend, dataId);
    let stopWaiting = () => {};
    const loss = new Promise<never>((_, reject) => {
      waiting.add(reject);
      stopWaiting = () => waiting.delete(reject);
    });
    try {
      const reading = guard(() => read.call(backend, dataId));
      const values = await Promise.race([reading, loss]);
      return guard(() => values);
    } finally {
      stopWaiting();
    }
  };
}
