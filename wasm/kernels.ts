/** Registers kernels that run in WebAssembly, which take addresses instead of tensors. */
import {
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  registerKernel,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { type KernelArguments, kernelArguments } from '../plugin/kernels/adapter.js';
import type { OpDeclaration, OutputSpec } from '../plugin/ops/declaration.js';
import { type BackendKernel, registerBackendKernel } from '../plugin/ops/kernels.js';
import type { WasmFunctions } from './functions.js';
import type { NewTensor } from './heap.js';
import { hostOf } from './host.js';
import { BACKEND } from './tfjs_start.js';
import { ThreadLost } from './thread_pool.js';
import type { Parts } from './threads.js';

/** Arguments of a kernel. Inputs and outputs are addresses, 0 for an omitted optional input. */
export interface WasmKernelArguments<D extends OpDeclaration, Functions> extends KernelArguments<D, number> {
  /** The exported functions that it uses. The values that they return may depend on sizes only. */
  readonly functions: Functions;
  readonly memory: WebAssembly.Memory;
  /** Allocates memory for this call. */
  readonly scratch: (bytes: number) => number;
  /** Writes integers to memory of this call, and returns their address. They may depend on sizes and attributes only. */
  readonly integers: (values: readonly number[]) => number;
  readonly inParts: InParts<Functions>;
  /** Number of threads that share the work. Results must be the same, bit for bit, for every number. */
  readonly threads: number;
  /** The input tensors themselves, for values that are cached per tensor. */
  readonly tensors: Readonly<Record<keyof D['inputs'], TensorInfo>>;
  readonly cached: Cached;
}

/**
 * Calls a function for parts of its work, on all available threads, and returns when all are done. `argumentsOf` returns the
 * arguments for `count` items from `first` on, which must not depend on what other parts write. A kernel thereby defines how
 * its work is split; on one thread there is a single call for all, unless each item needs its own (`itemsOf`). Parts that run
 * concurrently have different values of `slot`, below `parts.slots`, which select their scratch memory.
 */
export type InParts<Functions> = <Name extends keyof Functions & string>(
  name: Name,
  parts: Parts,
  argumentsOf: (first: number, count: number, slot: number) => NumbersOf<Functions[Name]>,
) => void;

type NumbersOf<Function> = Function extends (...args: infer Arguments) => unknown
  ? Arguments extends readonly number[]
    ? Readonly<Arguments>
    : never
  : never;

/** Returns a block called `name` that `fill` computes from input tensors once, cached as long as all of them exist. */
export type Cached = (
  tensors: readonly TensorInfo[],
  name: string,
  bytes: number,
  fill: (address: number) => void,
) => number;

export type WasmKernel<D extends OpDeclaration, Functions> = (
  args: WasmKernelArguments<D, Functions>,
) => void;

/**
 * Registers the kernel of an op for tfjs's `wasm` backend, before or after the backend is ready. By default it uses the
 * exports of the C++ module.
 */
export function registerWasmKernel<D extends OpDeclaration, Functions = WasmFunctions>(
  op: D,
  kernel: WasmKernel<D, Functions>,
): void {
  registerBackendKernel(op, BACKEND, backendKernel(op, kernel));
}

/** Adapts a kernel over addresses to tensors. */
function backendKernel<D extends OpDeclaration, Functions>(
  op: D,
  kernel: WasmKernel<D, Functions>,
): BackendKernel<D> {
  return (call) =>
    inMemoryOf<Functions>(call.backend, (space) => {
      const { inputs, outputs, shapes, attributes } = kernelArguments(op, call, space, 0);
      const { functions, memory, scratch, integers, inParts, threads, cached } = space;
      const tensors = call.inputs as Record<keyof D['inputs'], TensorInfo>;
      // Not spread: this runs for every op, and a spread costs more than many kernels.
      kernel({
        inputs,
        outputs,
        shapes,
        attributes,
        functions,
        memory,
        scratch,
        integers,
        inParts,
        threads,
        cached,
        tensors,
      });
    });
}

/** The memory functions of a backend that a kernel call may use. */
interface CallMemory<Functions>
  extends Pick<
    WasmKernelArguments<OpDeclaration, Functions>,
    'functions' | 'memory' | 'scratch' | 'integers' | 'inParts' | 'threads' | 'cached'
  > {
  /** Returns the address of a tensor. */
  readonly input: (tensor: TensorInfo) => number;
  /** Returns the address of a new tensor, which the call returns. */
  readonly output: (spec: OutputSpec) => number;
}

/** Runs one kernel call. Its memory is freed; its outputs are returned, or disposed if it throws. */
function inMemoryOf<Functions>(
  backend: KernelBackend,
  run: (memory: CallMemory<Functions>) => void,
): TensorInfo[] {
  const { heap, exports, threads, cache, recording } = hostOf(backend);
  const blocks: number[] = [];
  const scratch = (bytes: number) => {
    const address = heap.allocate(bytes);
    blocks.push(address);
    return address;
  };
  const integers = (values: readonly number[]) => {
    const address = recording?.constant(4 * values.length) ?? scratch(4 * values.length);
    new Int32Array(memory.buffer, address, values.length).set(values);
    return address;
  };
  const cached: Cached = (tensors, name, bytes, fill) => {
    if (!cache) {
      const address = scratch(bytes);
      fill(address);
      return address;
    }
    const get = () => cache.get(tensors, name, () => heap.allocate(bytes), fill);
    return recording && !recording.hasMade(tensors) ? recording.paused(get) : get();
  };
  if (recording) recording.kernels++;
  const made: NewTensor[] = [];
  const output = (spec: OutputSpec) => {
    const tensor = heap.output(spec);
    made.push(tensor);
    return tensor.address;
  };
  const { memory } = heap;
  const input = (tensor: TensorInfo) => {
    recording?.reads(tensor);
    return heap.input(tensor);
  };
  const functions = (recording?.functions ?? exports) as Functions;
  const inParts: InParts<Functions> = (name, parts, argumentsOf) =>
    (recording ?? threads).run(name, parts, argumentsOf);
  try {
    const { size } = threads;
    run({ memory, functions, input, output, scratch, integers, inParts, threads: size, cached });
    return made.map((tensor) => tensor.finish());
  } catch (error) {
    if (error instanceof ThreadLost) {
      blocks.length = 0; // possibly still in use
    } else {
      for (const tensor of made) tensor.discard();
    }
    throw error;
  } finally {
    for (const block of blocks) heap.free(block);
    heap.endCall();
  }
}

/** Arguments of one of tfjs's own kernels. */
export interface BuiltInCall<Functions> extends CallMemory<Functions> {
  readonly inputs: NamedTensorInfoMap;
  readonly attrs: NamedAttrMap;
}

/** Registers a kernel with one output under a tfjs name, unless tfjs's backend has one: for gradients that it lacks. */
export function registerBuiltInKernel<Functions>(
  kernelName: string,
  kernel: (call: BuiltInCall<Functions>) => void,
): void {
  if (getKernel(kernelName, BACKEND)) return;
  registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc: ({ inputs, attrs = {}, backend }) =>
      inMemoryOf<Functions>(backend as KernelBackend, (memory) =>
        kernel({ ...memory, inputs, attrs: attrs as NamedAttrMap }),
      )[0],
  });
}
