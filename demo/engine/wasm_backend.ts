/** The backend `wasm`: where its files are, and whether it has threads. */
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import { engine, env, setBackend } from '@tensorflow/tfjs-core';
import type { Starter } from './starter.js';

/** Time limit of the trial: a worker that starts at all does so long before. */
const TRIAL_LIMIT_MS = 2_000;
const THREADS = 'WASM_HAS_MULTITHREAD_SUPPORT';

/** Set if the page may have threads, but tfjs's do not start in it. */
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
      // Our kernels need SIMD, so tfjs's build without it is never requested.
      setWasmPaths({
        'tfjs-backend-wasm.wasm': simdWasm,
        'tfjs-backend-wasm-simd.wasm': simdWasm,
        'tfjs-backend-wasm-threaded-simd.wasm': threadedWasm,
      });
      isRefused = Boolean(await env().getAsync(THREADS)) && !(await threadsStart());
      if (isRefused) env().set(THREADS, false);
    }
    await setBackend('wasm');
    await ready(); // throws an error that says what is missing
    if (isRefused) return 'WebAssembly, one thread: the policy of the page lets no more start';
    const { count } = getThreads();
    return `WebAssembly, ${count > 1 ? `${count} threads` : 'one thread'}`;
  },
};

/**
 * Whether tfjs's threads would start, tested by doing the same: a worker made from a blob imports another blob. A policy may
 * refuse either, and tfjs would then wait for ever.
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
        event.preventDefault(); // a result, not an error of the page
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
