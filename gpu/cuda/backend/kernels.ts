/** Kernels of the backend `cuda`: their arguments, and the cleanup after a call. */
import {
  type DataType,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  registerKernel,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { OpError, showShape } from '../../../plugin/ops/input_checks.js';
import type { Block } from './allocator.js';
import { elementsOf, isInteger } from './arguments.js';
import { type CudaBackend, elementBytes } from './backend.js';
import { DEVICE_FAILED, type Device, type MatrixProduct } from './driver.js';
import { CudaOutOfMemoryError } from './errors.js';
import { runOnCpu } from './fallback.js';
import type { Argument, Grid } from './launch.js';

export const BACKEND = 'cuda';

/** A tensor on the device: a result for tfjs, and an argument of kernels. */
export interface DeviceTensor extends TensorInfo, Block {}

/** One call of a kernel. Tensors and memory that it creates and does not return are released when it ends. */
export class KernelCall {
  /** A list, not a map: few calls create more than two. */
  private made: DeviceTensor[] = [];
  private readonly blocks: Block[] = [];

  constructor(readonly backend: CudaBackend) {}

  get device(): Device {
    return this.backend.device;
  }

  /**
   * Returns a tensor as an argument of kernels.
   * @throws {Error} unless its shape matches the number of its values.
   */
  input(tensor: TensorInfo): DeviceTensor {
    this.checkSize(tensor, tensor.shape);
    const { address, bytes } = this.backend.blockOf(tensor);
    return { dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype, address, bytes };
  }

  /**
   * Creates a tensor whose values are undefined until a kernel writes them.
   * @throws {Error} if there can be no tensor of this shape.
   */
  output(shape: readonly number[], dtype: DataType): DeviceTensor {
    elementsOf('the result', shape);
    const { dataId, block } = this.backend.allocate(shape, dtype);
    const tensor = { dataId, shape: [...shape], dtype, address: block.address, bytes: block.bytes };
    this.made.push(tensor);
    return tensor;
  }

  /**
   * Returns the same values as another tensor, with another shape or an element type of the same size.
   * @throws {Error} if the shape has another number of values.
   */
  alias(tensor: TensorInfo, shape: readonly number[], dtype: DataType = tensor.dtype): TensorInfo {
    this.checkSize(tensor, shape);
    // A tensor created by this call has only one reference, which is kept.
    if (!isAmong(this.made, tensor)) this.backend.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype };
  }

  scratch(bytes: number): Block {
    const block = this.backend.scratch(bytes);
    this.blocks.push(block);
    return block;
  }

  /** @throws {Error} if an argument is not a number that kernels can take. */
  launch(kernel: string, grid: Grid, ...given: readonly Argument[]): void {
    for (const argument of given) {
      if (
        typeof argument === 'number' ? isWord(argument) : !Array.isArray(argument) || argument.every(isWord)
      )
        continue;
      throw new Error(`an argument of the kernel ${kernel} is ${argument}, expected integers of 32 bits`);
    }
    this.backend.launcher.launch(kernel, grid, ...given);
  }

  /** Copies elements between two addresses. */
  copy(to: number, from: number, count: number, dtype: DataType): void {
    if (!(isInteger(count) && count >= 0)) {
      throw new Error(`${count} elements are to be copied, expected an integer from 0`);
    }
    if (count > 0) this.device.copy(to, from, count * elementBytes(dtype));
  }

  /** Computes a matrix product with cuBLAS. Only if `device.hasMatrixLibrary`. */
  multiply(product: Omit<MatrixProduct, 'allowTf32'>): void {
    this.device.multiply({ ...product, allowTf32: this.backend.allowTf32 });
  }

  /** Transfers ownership of a tensor that this call created. */
  keep<T extends TensorInfo>(tensor: T): T {
    this.made = this.made.filter(({ dataId }) => dataId !== tensor.dataId);
    return tensor;
  }

  private checkSize(tensor: TensorInfo, shape: readonly number[]): void {
    const size = this.backend.sizeOf(tensor);
    if (elementsOf('a tensor', shape) === size) return;
    throw new Error(`a tensor of ${size} values has shape ${showShape(shape)}, expected one of so many`);
  }

  /** Releases everything that was created and is not among the results. */
  end(results: readonly TensorInfo[]): void {
    for (const tensor of this.made) {
      if (!isAmong(results, tensor)) this.backend.disposeData(tensor.dataId);
    }
    for (const block of this.blocks) this.backend.release(block);
  }
}

/** Whether a number is an int32, or the bits of one. */
function isWord(value: number): boolean {
  return value === (value | 0) || value === value >>> 0;
}

function isAmong(tensors: readonly TensorInfo[], { dataId }: TensorInfo): boolean {
  for (const tensor of tensors) if (tensor.dataId === dataId) return true;
  return false;
}

/** Arguments of the kernel of a built-in op. */
export interface BuiltInKernelArguments {
  readonly inputs: NamedTensorInfoMap;
  readonly attrs: NamedAttrMap;
  readonly call: KernelCall;
  /** Runs tfjs's CPU kernel instead: for element types or ranks that the kernel does not support. */
  readonly onCpu: () => TensorInfo | TensorInfo[];
}

export type BuiltInKernel = (args: BuiltInKernelArguments) => TensorInfo | TensorInfo[];

/** Registers the kernel of a built-in op. */
export function registerBuiltInKernel(kernelName: string, kernel: BuiltInKernel): void {
  registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const given = inputs as NamedTensorInfoMap;
      const attributes = (attrs ?? {}) as NamedAttrMap;
      return within(backend as CudaBackend, kernelName, (call) =>
        kernel({
          inputs: given,
          attrs: attributes,
          call,
          onCpu: () => runOnCpu(kernelName, given, attributes, call.backend),
        }),
      );
    },
  });
}

/** Runs a kernel, and releases what it creates and does not return. Errors name the op. */
export function within(
  backend: CudaBackend,
  op: string,
  kernel: (call: KernelCall) => TensorInfo | TensorInfo[],
): TensorInfo | TensorInfo[] {
  const call = new KernelCall(backend);
  let results: TensorInfo[] = [];
  try {
    const made = kernel(call);
    results = Array.isArray(made) ? made : [made];
    return made;
  } catch (error) {
    throw typed(op, error);
  } finally {
    call.end(results);
  }
}

/** Adds the name of the op to errors that tfjs, or the language itself, throws for invalid arguments. */
function typed(op: string, error: unknown): unknown {
  const isTyped = error instanceof OpError || error instanceof CudaOutOfMemoryError;
  if (isTyped || !(error instanceof Error) || (error as Error & { code?: string }).code === DEVICE_FAILED)
    return error;
  return new OpError(op, error.message, { cause: error });
}
