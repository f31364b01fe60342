/** Registers this package's kernels for tfjs's backend `webgpu`. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { getKernel, type KernelBackend, type KernelConfig, type TensorInfo } from '@tensorflow/tfjs-core';
import { type KernelArguments, kernelArguments } from '../../plugin/kernels/adapter.js';
import { sizeOf } from '../../plugin/kernels/sizes.js';
import type { OpDeclaration, OutputSpec } from '../../plugin/ops/declaration.js';
import { registerBackendKernel } from '../../plugin/ops/kernels.js';
import { type Dispatch, type KernelLimits, type Runner, runnerOf } from './runner.js';
import { BACKEND } from './start.js';

/** Arguments of a kernel. Omitted optional inputs are undefined. */
export interface WebgpuKernelArguments<D extends OpDeclaration> extends KernelArguments<D, TensorInfo> {
  readonly dispatch: Dispatch;
  /** Allocates a buffer until the kernel ends, with undefined contents. */
  readonly scratch: (bytes: number) => GPUBuffer;
  readonly limits: KernelLimits;
  readonly runner: Runner;
}

/** Registers a kernel for an op of this package. */
export function registerWebgpuKernel<D extends OpDeclaration>(
  op: D,
  kernel: (args: WebgpuKernelArguments<D>) => void,
): void {
  registerBackendKernel(op, BACKEND, (checked) => {
    const backend = checked.backend as KernelBackend as WebGPUBackend;
    const runner = runnerOf(backend);
    const scratch: GPUBuffer[] = [];
    const results: TensorInfo[] = [];
    const output = ({ shape, dtype }: OutputSpec) => {
      const result = backend.makeTensorInfo([...shape], dtype);
      if (sizeOf(shape) === 0) {
        // A tensor without elements has no buffer.
        backend.tensorMap.get(result.dataId).values = new (dtype === 'int32' ? Int32Array : Float32Array)(0);
      }
      results.push(result);
      return result;
    };
    const floats: TensorInfo[] = [];
    const input = (tensor: TensorInfo) => {
      if (tensor.dtype !== 'float32' || backend.tensorMap.get(tensor.dataId).dtype === 'float32')
        return tensor;
      const converted = asFloats(tensor, backend);
      floats.push(converted);
      return converted;
    };
    try {
      const args = kernelArguments(op, checked, { input, output });
      kernel({
        ...args,
        dispatch: runner.dispatch,
        scratch: (bytes) => {
          const buffer = runner.buffer(bytes);
          scratch.push(buffer);
          return buffer;
        },
        limits: runner.limits,
        runner,
      });
      return results;
    } catch (error) {
      for (const { dataId } of results) backend.disposeData(dataId);
      throw error;
    } finally {
      for (const buffer of scratch) runner.release(buffer);
      for (const { dataId } of floats) backend.disposeData(dataId);
    }
  });
}

/**
 * tfjs casts integers to float32 by changing only the type of the tensor: the data remain integers, which its own shaders
 * take into account.
 */
function asFloats(tensor: TensorInfo, backend: WebGPUBackend): TensorInfo {
  const one = backend.makeTensorInfo([], 'float32', Float32Array.of(1));
  const multiply = getKernel('Multiply', BACKEND) as KernelConfig;
  try {
    return multiply.kernelFunc({ inputs: { a: tensor, b: one }, backend, attrs: {} }) as TensorInfo;
  } finally {
    backend.disposeData(one.dataId);
  }
}
