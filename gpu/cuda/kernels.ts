/** Registers this package's kernels for the backend `cuda`. */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import type { AttributesOf, OpDeclaration, OutputSpec } from '../../plugin/ops/declaration.js';
import { registerBackendKernel } from '../../plugin/ops/kernels.js';
import type { CudaBackend } from './backend/backend.js';
import { BACKEND, type DeviceTensor, type KernelCall, within } from './backend/kernels.js';

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
    const results = within(backend as KernelBackend as CudaBackend, op.name, (call) => {
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
