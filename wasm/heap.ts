/**
 * Memory that kernels work on: tfjs's own, which already holds the tensors, or our own, to which they are copied. Addresses
 * are unsigned (memory may exceed 2 GB). Views of a memory are never kept, because growth detaches them.
 */
import type { DataType, KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../plugin/kernels/sizes.js';
import type { OutputSpec } from '../plugin/ops/declaration.js';
import type { HostArray } from '../plugin/ops/kernels.js';

/** dlmalloc's malloc aligns to 8 bytes; SIMD loads do not need more. */
const ALIGNMENT = 16;
const PAGE = 65536;
/** Limit of a WebAssembly memory. Larger sizes would overflow 32-bit integers. */
export const ADDRESSABLE_BYTES = 2 ** 32;

export interface Allocator {
  /** @throws {Error} if memory is exhausted. */
  allocate(bytes: number): number;
  free(address: number): void;
}

/** The memory of tensors and scratch blocks. */
export interface Heap extends Allocator {
  readonly memory: WebAssembly.Memory;
  /** Whether tensors are used in place, so that a block may be kept from call to call. */
  readonly inPlace: boolean;
  /** Returns the address of a tensor's values, for the current call. */
  input(info: TensorInfo): number;
  output(spec: OutputSpec): NewTensor;
  /** Ends a call: frees what was copied for it. */
  endCall(): void;
}

/** The memory of tfjs's backend. */
export interface TfjsHeap extends Heap {
  readonly inPlace: true;
  /** Whether the backend has the values of a tensor. */
  has(dataId: object): boolean;
  /** Directs what tfjs and kernels allocate and free to another allocator while `run` runs. */
  redirected<Result>(allocator: Allocator, run: () => Result): Result;
  /** Its own allocator, even while calls are redirected. */
  readonly direct: Allocator;
  /** Returns a tensor over memory that is freed by the caller. */
  view(address: number, shape: readonly number[], dtype: DataType): TensorView;
}

export interface TensorView {
  readonly tensor: TensorInfo;
  dispose(): void;
}

/** An output of a kernel. */
export interface NewTensor {
  readonly address: number;
  /** Called after the kernel has written it; returns the tensor for tfjs. */
  finish(): TensorInfo;
  /** Called if the kernel has failed. */
  discard(): void;
}

/** The parts of tfjs's `BackendWasm` that are used; those that are not public API are optional and checked for. */
interface WasmBackend extends KernelBackend {
  readonly wasm?: Partial<EmscriptenModule>;
  readonly dataIdMap?: {
    get(dataId: object): { readonly memoryOffset: number };
    has(dataId: object): boolean;
  };
}

interface EmscriptenModule {
  /** In the threaded build. */
  readonly wasmMemory: unknown;
  /** In the single-threaded builds. */
  readonly asm: { readonly memory?: unknown };
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** Returns the heap of a tfjs backend, or undefined if it cannot be found (it is not public API). */
export function heapOfBackend(backend: KernelBackend): TfjsHeap | undefined {
  const { wasm, dataIdMap } = backend as WasmBackend;
  const memory = wasm?.wasmMemory ?? wasm?.asm?.memory;
  const canAllocate = wasm?._malloc !== undefined && wasm._free !== undefined;
  if (!(memory instanceof WebAssembly.Memory) || !canAllocate || !dataIdMap) return undefined;
  const module = wasm as EmscriptenModule; // its functions replace themselves on their first call, so none is kept
  const addressOf = (dataId: object) => dataIdMap.get(dataId).memoryOffset >>> 0;
  let own: Pick<EmscriptenModule, '_malloc' | '_free'> = module;
  return {
    memory,
    inPlace: true,
    has: (dataId) => dataIdMap.has(dataId),
    redirected: ({ allocate, free }, run) => {
      const { _malloc, _free } = module;
      own = { _malloc, _free };
      try {
        return replacing(module, { _malloc: allocate, _free: free }, run);
      } finally {
        own = module;
      }
    },
    direct: { allocate: (bytes) => own._malloc(bytes) >>> 0, free: (address) => own._free(address) },
    view: (address, shape, dtype) => {
      const write = () => backend.write(null as unknown as HostArray, [...shape], dtype);
      const dataId = replacing(module, { _malloc: () => address }, write);
      const dispose = () => {
        const { _free } = module;
        const free = (other: number) => other >>> 0 === address || _free(other);
        replacing(module, { _free: free as typeof _free }, () => backend.disposeData(dataId, true));
      };
      return { tensor: { dataId, shape: [...shape], dtype }, dispose };
    },
    allocate: (bytes) => module._malloc(bytes) >>> 0,
    free: (address) => module._free(address),
    input: ({ dataId }) => addressOf(dataId),
    output: ({ shape, dtype }) => {
      const dataId = backend.write(null as unknown as HostArray, shape, dtype); // null: the memory is not initialised
      const address = addressOf(dataId);
      const discard = () => void backend.disposeData(dataId, true);
      return { address, finish: () => ({ dataId, shape, dtype }), discard };
    },
    endCall: () => {},
  };
}

/** Replaces methods of an object while `run` runs. */
export function replacing<Target extends object, Result>(
  target: Target,
  methods: Partial<Target>,
  run: () => Result,
): Result {
  const before = Object.keys(methods).map(
    (name) => [name, Object.getOwnPropertyDescriptor(target, name)] as const,
  );
  Object.assign(target, methods);
  try {
    return run();
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(target, name, descriptor);
      else Reflect.deleteProperty(target, name); // a method of its class
    }
  }
}

/**
 * If memory has no room for a tensor, tfjs writes it to address 0, over the state of its allocator, which then hangs or
 * traps. Here that becomes an error, and the heap is left as it was.
 */
export function refuseWithoutMemory(backend: KernelBackend): void {
  const module = (backend as WasmBackend).wasm as EmscriptenModule;
  module._free(module._malloc(1)); // Emscripten's placeholders are replaced by the functions on their first call
  const malloc = module._malloc;
  module._malloc = (bytes) => {
    const address = bytes < ADDRESSABLE_BYTES ? malloc(bytes) : 0;
    if (address === 0 && bytes > 0) throw new Error(`tfjs-grootvl/wasm: out of memory (${bytes} bytes)`);
    return address;
  };
}

/** Calls back before a backend is disposed, while its memory still exists. */
export function beforeDisposal(backend: KernelBackend, callback: () => void): void {
  const dispose = backend.dispose?.bind(backend);
  backend.dispose = () => {
    callback();
    dispose?.();
  };
}

/** A memory of our own; tensors are copied in and out in every call. */
export function copyingHeap(backend: KernelBackend): Heap {
  const memory = new WebAssembly.Memory({ initial: 1 });
  let top = ALIGNMENT;
  let permanent = top;
  let inCall = false;
  const allocate = (bytes: number): number => {
    const address = top;
    top = Math.ceil((top + bytes) / ALIGNMENT) * ALIGNMENT;
    const missing = top - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE)); // throws a RangeError if memory is exhausted
    if (!inCall) permanent = top;
    return address;
  };
  return {
    memory,
    inPlace: false,
    allocate,
    free: () => {}, // endCall frees everything
    input: ({ dataId }) => {
      inCall = true;
      const values = backend.readSync(dataId) as HostArray;
      const address = allocate(values.byteLength);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      new Uint8Array(memory.buffer).set(bytes, address);
      return address;
    },
    output: ({ shape, dtype }) => {
      inCall = true;
      const size = sizeOf(shape);
      const address = allocate(size * 4);
      const finish = () => {
        const bytes = memory.buffer.slice(address, address + size * 4);
        const values = dtype === 'float32' ? new Float32Array(bytes) : new Int32Array(bytes);
        return { dataId: backend.write(values, shape, dtype), shape, dtype };
      };
      return { address, finish, discard: () => {} };
    },
    endCall: () => {
      inCall = false;
      top = permanent;
    },
  };
}
