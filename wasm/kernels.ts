/** Registers kernels that run in WebAssembly: addresses instead of tensors. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { AttributesOf, OpDeclaration } from '../plugin/ops/declaration.js';
import { type BackendKernel, registerBackendKernel } from '../plugin/ops/kernels.js';
import type { NewTensor } from './heap.js';
import { hostOf } from './host.js';
import { BACKEND } from './tfjs_start.js';

/** What a kernel is called with. `Functions` are the exported functions it uses. */
export interface WasmKernelArguments<D extends OpDeclaration, Functions> {
  /** Addresses; 0 for an optional input that was left out. */
  readonly inputs: Readonly<Record<keyof D['inputs'], number>>;
  /** Addresses. */
  readonly outputs: Readonly<Record<keyof D['outputs'], number>>;
  readonly shapes: Readonly<Record<keyof D['inputs'], readonly number[]>>;
  readonly attributes: AttributesOf<D['attributes']>;
  readonly functions: Functions;
  /** Allocates memory for this call. */
  readonly scratch: (bytes: number) => number;
  /** The input tensors themselves, for what is remembered about them from call to call. */
  readonly tensors: Readonly<Record<keyof D['inputs'], TensorInfo>>;
  /** A block that `make` writes from an input tensor once, kept as long as the tensor: see derived_blocks.ts. */
  readonly derived: (
    tensor: TensorInfo,
    name: string,
    bytes: number,
    make: (address: number) => void,
  ) => number;
}

export type WasmKernel<D extends OpDeclaration, Functions> = (
  args: WasmKernelArguments<D, Functions>,
) => void;

/** Registers the kernel of an op for tfjs's `wasm` backend, before or after that is ready. */
export function registerWasmKernel<D extends OpDeclaration, Functions>(
  op: D,
  kernel: WasmKernel<D, Functions>,
): void {
  registerBackendKernel(op, BACKEND, backendKernel(op, kernel));
}

/** A kernel over tensors made from one over addresses. */
export function backendKernel<D extends OpDeclaration, Functions>(
  op: D,
  kernel: WasmKernel<D, Functions>,
): BackendKernel<D> {
  const names: readonly (keyof D['inputs'])[] = Object.keys(op.inputs);
  return ({ inputs, attributes, outputs, backend }) => {
    const { heap, exports, derived } = hostOf(backend);
    const tensors = inputs as Record<keyof D['inputs'], TensorInfo>;
    const blocks: number[] = [];
    const scratch = (bytes: number) => {
      const address = heap.allocate(bytes);
      blocks.push(address);
      return address;
    };
    const made: NewTensor[] = [];
    try {
      for (const spec of outputs) made.push(heap.output(spec));
      const results = {} as Record<keyof D['outputs'], number>;
      op.outputNames.forEach((name: keyof D['outputs'], i) => {
        results[name] = made[i].address;
      });
      const addresses = {} as Record<keyof D['inputs'], number>;
      const shapes = {} as Record<keyof D['inputs'], readonly number[]>;
      for (const name of names) {
        const info: TensorInfo | undefined = tensors[name];
        addresses[name] = info ? heap.input(info) : 0;
        shapes[name] = info?.shape ?? [];
      }
      kernel({
        inputs: addresses,
        outputs: results,
        shapes,
        attributes,
        functions: exports as Functions,
        scratch,
        tensors,
        derived: (tensor, name, bytes, make) => {
          // Tensors of several shapes may share their values.
          if (derived) return derived.get(tensor, `[${tensor.shape}] ${name}`, bytes, make);
          const address = scratch(bytes);
          make(address);
          return address;
        },
      });
      return made.map((output) => output.finish());
    } catch (error) {
      for (const output of made) output.discard();
      throw error;
    } finally {
      for (const block of blocks) heap.free(block);
      heap.endCall();
    }
  };
}
