/** Which backend of tfjs computes. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import simdWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedWasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import * as tf from '@tensorflow/tfjs-core';
import { ready } from 'tfjs-grootvl/wasm';

let started: Promise<string> | undefined;

/** @returns the name of the backend that computes; started at the first call */
export function startBackend(): Promise<string> {
  started ??= start();
  return started;
}

async function start(): Promise<string> {
  // Our kernels need SIMD, so tfjs's plain build is never asked for.
  setWasmPaths({
    'tfjs-backend-wasm.wasm': simdWasm,
    'tfjs-backend-wasm-simd.wasm': simdWasm,
    'tfjs-backend-wasm-threaded-simd.wasm': threadedWasm,
  });
  if (!(await tf.setBackend('wasm'))) throw new Error('WebAssembly did not start in this browser');
  await ready();
  return tf.getBackend();
}

export const calls = { startBackend };
