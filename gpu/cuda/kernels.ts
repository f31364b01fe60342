/** Registers this package's kernels for the backend `cuda`. */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import { type KernelArguments, kernelArguments } from '../../plugin/kernels/adapter.js';
import type { OpDeclaration, OutputSpec } from '../../plugin/ops/declaration.js';
import { registerBackendKernel } from '../../plugin/ops/kernels.js';
import type { CudaBackend } from './backend/backend.js';
import { BACKEND, type DeviceTensor, type KernelCall, within } from './backend/kernels.js';

/** Arguments of a kernel. Omitted optional inputs are missing, and become null pointers. */
export interface CudaKernelArguments<D extends OpDeclaration> extends KernelArguments<D, DeviceTensor> {
  readonly call: KernelCall;
}

/** Registers a kernel for an op of this package. */
export function registerCudaKernel<D extends OpDeclaration>(
  op: D,
  kernel: (args: CudaKernelArguments<D>) => void,
): void {
  registerBackendKernel(op, BACKEND, (checked) => {
    const results = within(checked.backend as KernelBackend as CudaBackend, op.name, (call) => {
      const input = (tensor: TensorInfo) => call.input(tensor);
      const output = ({ shape, dtype }: OutputSpec) => call.output(shape, dtype);
      const args = kernelArguments(op, checked, { input, output });
      kernel({ ...args, call });
      return op.outputNames.map((name: keyof D['outputs']) => args.outputs[name]);
    });
    return [results].flat();
  });
}
