/** Registering kernels for the backend `cuda`: what a kernel is called with, and what is cleaned up after it. */
import {
  type DataType,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  registerKernel,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import type { AttributesOf, OpDeclaration, OutputSpec } from '../../plugin/ops/declaration.js';
import { registerBackendKernel } from '../../plugin/ops/kernels.js';
import type { Block } from './allocator.js';
import type { CudaBackend } from './backend.js';
import type { Device, MatrixProduct } from './driver.js';
import { runOnHost } from './forward.js';
import type { Argument, Grid } from './launch.js';

export const BACKEND = 'cuda';

/** A tensor on the device: what tfjs wants of a result, and an argument of kernels. */
export interface DeviceTensor extends TensorInfo, Block {}

/** One call of a kernel. Tensors and memory that it makes and does not return are given back when it ends. */
export class KernelCall {
  /** A list, not a map: few calls make more than two. */
  private made: DeviceTensor[] = [];
  private readonly blocks: Block[] = [];

  constructor(readonly backend: CudaBackend) {}

  get device(): Device {
    return this.backend.device;
  }

  /** A tensor as an argument of kernels. */
  input(tensor: TensorInfo): DeviceTensor {
    const { address, bytes } = this.backend.blockOf(tensor);
    return { dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype, address, bytes };
  }

  /** A new tensor, whose values are undefined until a kernel writes them. */
  output(shape: readonly number[], dtype: DataType): DeviceTensor {
    const { dataId, block } = this.backend.allocate(shape, dtype);
    const tensor = { dataId, shape: [...shape], dtype, address: block.address, bytes: block.bytes };
    this.made.push(tensor);
    return tensor;
  }

  /** The same values as another tensor, in another shape or element type of the same size. */
  alias(tensor: TensorInfo, shape: readonly number[], dtype: DataType = tensor.dtype): TensorInfo {
    // A tensor that this call made keeps its only reference.
    if (!isAmong(this.made, tensor)) this.backend.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype };
  }

  scratch(bytes: number): Block {
    const block = this.backend.scratch(bytes);
    this.blocks.push(block);
    return block;
  }

  launch(kernel: string, grid: Grid, ...given: readonly Argument[]): void {
    this.backend.launcher.launch(kernel, grid, ...given);
  }

  /** A product of matrices by cuBLAS. Only where `device.hasMatrixLibrary`. */
  multiply(product: Omit<MatrixProduct, 'allowTf32'>): void {
    this.device.multiply({ ...product, allowTf32: this.backend.allowTf32 });
  }

  /** A tensor that this call made and somebody else now owns. */
  keep<T extends TensorInfo>(tensor: T): T {
    this.made = this.made.filter(({ dataId }) => dataId !== tensor.dataId);
    return tensor;
  }

  /** Gives back what was made and is not among the results. */
  end(results: readonly TensorInfo[]): void {
    for (const tensor of this.made) {
      if (!isAmong(results, tensor)) this.backend.disposeData(tensor.dataId);
    }
    for (const block of this.blocks) this.backend.release(block);
  }
}

function isAmong(tensors: readonly TensorInfo[], { dataId }: TensorInfo): boolean {
  for (const tensor of tensors) if (tensor.dataId === dataId) return true;
  return false;
}

/** What a kernel for one of tfjs's own ops is called with. */
export interface StockKernelArguments {
  readonly inputs: NamedTensorInfoMap;
  readonly attrs: NamedAttrMap;
  readonly call: KernelCall;
  /** Runs tfjs's CPU kernel instead: for element types or ranks that the kernel does not know. */
  readonly onHost: () => TensorInfo | TensorInfo[];
}

export type StockKernel = (args: StockKernelArguments) => TensorInfo | TensorInfo[];

/** Registers a kernel for one of tfjs's own ops. */
export function registerStockKernel(kernelName: string, kernel: StockKernel): void {
  registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const given = inputs as NamedTensorInfoMap;
      const attributes = (attrs ?? {}) as NamedAttrMap;
      return within(backend as CudaBackend, (call) =>
        kernel({
          inputs: given,
          attrs: attributes,
          call,
          onHost: () => runOnHost(kernelName, given, attributes, call.backend),
        }),
      );
    },
  });
}

/** What a kernel for an op of this package is called with. */
export interface CudaKernelArguments<D extends OpDeclaration> {
  /** Optional inputs that were left out are missing: a null pointer for a kernel. */
  readonly inputs: Readonly<Record<keyof D['inputs'], DeviceTensor>>;
  readonly attributes: AttributesOf<D['attributes']>;
  /** Made by the declaration's shapes, for the kernel to write. */
  readonly outputs: Readonly<Record<keyof D['outputs'], DeviceTensor>>;
  readonly shapes: Readonly<Record<keyof D['inputs'], readonly number[]>>;
  readonly call: KernelCall;
}

/** Registers a kernel for an op of this package. */
export function registerCudaKernel<D extends OpDeclaration>(
  op: D,
  kernel: (args: CudaKernelArguments<D>) => void,
): void {
  registerBackendKernel(op, BACKEND, ({ inputs, attributes, outputs, backend }) => {
    const results = within(backend as KernelBackend as CudaBackend, (call) => {
      const given: Record<string, DeviceTensor> = {};
      const shapes: Record<string, readonly number[]> = {};
      for (const name in inputs) {
        given[name] = call.input(inputs[name] as TensorInfo);
        shapes[name] = given[name].shape;
      }
      const made = outputs.map(({ shape, dtype }: OutputSpec) => call.output(shape, dtype));
      kernel({
        inputs: given as Record<keyof D['inputs'], DeviceTensor>,
        attributes,
        outputs: Object.fromEntries(op.outputNames.map((name, i) => [name, made[i]])) as Record<
          keyof D['outputs'],
          DeviceTensor
        >,
        shapes: shapes as Record<keyof D['inputs'], readonly number[]>,
        call,
      });
      return made;
    });
    return [results].flat();
  });
}

function within(
  backend: CudaBackend,
  kernel: (call: KernelCall) => TensorInfo | TensorInfo[],
): TensorInfo | TensorInfo[] {
  const call = new KernelCall(backend);
  let results: TensorInfo[] = [];
  try {
    const made = kernel(call);
    results = Array.isArray(made) ? made : [made];
    return made;
  } finally {
    call.end(results);
  }
}
