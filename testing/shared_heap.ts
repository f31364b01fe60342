/** A heap for wasm/ in a shared memory, as tfjs has in cross-origin isolated pages. */
import type { Heap } from '../wasm/heap.js';
import { type Exports, instanceBytes, instantiateKernels, type KernelModules } from '../wasm/instantiate.js';

export interface SharedHeap {
  readonly heap: Heap;
  /** Blocks that have not been freed. */
  readonly blocks: ReadonlySet<number>;
  readonly exports: Exports;
}

/** It grows, and never returns the same address twice. */
export function sharedHeap(modules: KernelModules): SharedHeap {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const blocks = new Set<number>();
  let top = 1024;
  const allocate = (bytes: number) => {
    const address = top;
    top += Math.ceil(bytes / 16) * 16;
    const missing = top - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    blocks.add(address);
    return address;
  };
  const free = (address: number) => void blocks.delete(address);
  const heap = { memory, inPlace: true, allocate, free } as unknown as Heap;
  return { heap, blocks, exports: instantiateKernels(modules, memory, allocate(instanceBytes(modules))) };
}
