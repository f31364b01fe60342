/** Internals of tfjs's wasm backend, for the tests of wasm/. */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** The Emscripten module of tfjs's backend, with the members that tests use. */
export interface TfjsModule {
  _malloc(bytes: number): number;
  _free(address: number): void;
  readonly HEAPU8: Uint8Array;
  readonly asm?: { readonly memory: WebAssembly.Memory };
  readonly wasmMemory?: WebAssembly.Memory;
  readonly tfjs: { getThreadsCount(): number };
}

export function tfjsModule(): TfjsModule {
  return (tf.backend() as unknown as { readonly wasm: TfjsModule }).wasm;
}

/** A new instance of tfjs's wasm backend with its own memory, replacing the previous one. */
export async function newWasmBackend(): Promise<void> {
  const factory = tf.findBackendFactory('wasm');
  tf.removeBackend('wasm');
  tf.registerBackend('wasm', factory);
  await tf.setBackend('wasm');
  await tf.ready();
}

/** Blocks allocated since this call and not yet freed, by address. */
export function watchAllocations(): ReadonlyMap<number, number> {
  const module = tfjsModule();
  module._free(module._malloc(8)); // Emscripten replaces its stubs with the functions themselves on their first call
  const { _malloc: malloc, _free: free } = module;
  const blocks = new Map<number, number>();
  module._malloc = (bytes) => {
    const address = malloc(bytes) >>> 0;
    blocks.set(address, bytes);
    return address;
  };
  module._free = (address) => {
    blocks.delete(address >>> 0);
    free(address);
  };
  return blocks;
}

/** The result of a computation on the backend `cpu`, the specification. */
export async function onCpu<T>(compute: () => T): Promise<T> {
  await tf.setBackend('cpu');
  try {
    return compute();
  } finally {
    await tf.setBackend('wasm');
  }
}
