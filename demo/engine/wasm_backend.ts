/** The backend `wasm`: where its files are, and whether it has threads. */
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import { engine, env, setBackend } from '@tensorflow/tfjs-core';
import type { Starter } from './starter.js';

/** Of the trial: a worker that starts at all has done so long before. */
const TRIAL_LIMIT_MS = 2_000;
const THREADS = 'WASM_HAS_MULTITHREAD_SUPPORT';

/** The page may have threads, and tfjs's do not start in it. */
let isRefused = false;

export const wasm: Starter = {
  offer() {
    return typeof WebAssembly === 'undefined'
      ? { missing: 'this browser has no WebAssembly' }
      : { device: globalThis.crossOriginIsolated ? 'WebAssembly, threads' : 'WebAssembly, one thread' };
  },

  async start() {
    const [{ setWasmPaths }, { getThreads, ready }] = await Promise.all([
      import('@tensorflow/tfjs-backend-wasm'),
      import('tfjs-grootvl/wasm'),
    ]);
    if (!engine().registry.wasm) {
      // Our kernels need SIMD, so tfjs's plain build is never asked for.
      setWasmPaths({
        'tfjs-backend-wasm.wasm': simdWasm,
        'tfjs-backend-wasm-simd.wasm': simdWasm,
        'tfjs-backend-wasm-threaded-simd.wasm': threadedWasm,
      });
      isRefused = Boolean(await env().getAsync(THREADS)) && !(await threadsStart());
      if (isRefused) env().set(THREADS, false);
    }
    await setBackend('wasm');
    await ready(); // throws what is missing
    if (isRefused) return 'WebAssembly, one thread: the policy of the page lets no more start';
    const { count } = getThreads();
    return `WebAssembly, ${count > 1 ? `${count} threads` : 'one thread'}`;
  },
};

/**
 * Whether tfjs's threads would start, found out by doing what they do: a worker that is a blob imports another blob. A
 * policy may refuse either, and tfjs would then wait for ever.
 */
async function threadsStart(): Promise<boolean> {
  const urls: string[] = [];
  const urlOf = (text: string) => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    urls.push(url);
    return url;
  };
  const imported = urlOf('postMessage(true)');
  let trial: Worker | undefined;
  try {
    const worker = new Worker(urlOf(`importScripts(${JSON.stringify(imported)})`));
    trial = worker;
    return await new Promise<boolean>((resolve) => {
      worker.onmessage = () => resolve(true);
      worker.onerror = (event) => {
        event.preventDefault(); // an answer, no error of the page
        resolve(false);
      };
      setTimeout(resolve, TRIAL_LIMIT_MS, false);
    });
  } catch {
    return false; // the worker itself was refused
  } finally {
    trial?.terminate();
    for (const url of urls) URL.revokeObjectURL(url);
  }
}
