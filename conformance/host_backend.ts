/** A backend made of plain kernels: a copy of tfjs's cpu backend in which some kernels are replaced. */
import {
  copyRegisteredKernels,
  backend as currentBackend,
  findBackend,
  getKernelsForBackend,
  type KernelBackend,
  registerBackend,
  removeBackend,
  setBackend,
  type TensorInfo,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { registerBackendKernel } from '../plugin/ops/kernels.js';
import type { HostKernelFunction } from '../plugin/ops/spec/spec.js';
import type { Backend as BackendUnderTest, KernelsDefinition } from './backend.js';
import { declarationOf, tfjsBackend } from './tfjs_backend.js';

export function hostBackend(definition: KernelsDefinition): BackendUnderTest {
  const {
    name,
    kernels,
    tolerance,
    device = `plain kernels over a copy of cpu: ${Object.keys(kernels)}`,
  } = definition;
  for (const op of Object.keys(kernels)) declarationOf(op);
  return tfjsBackend({
    name,
    tfjs: name,
    tolerance,
    device,
    start: async () => {
      await import('@tensorflow/tfjs-backend-cpu');
      await setBackend('cpu');
      const { constructor: Backend } = currentBackend() as object as { constructor: new () => KernelBackend };
      if (!findBackend(name)) registerBackend(name, () => new Backend());
      copyRegisteredKernels('cpu', name);
      for (const [op, kernel] of Object.entries(kernels)) register(name, op, kernel);
      return undefined;
    },
    stop: async () => {
      await setBackend('cpu');
      for (const { kernelName } of getKernelsForBackend(name)) unregisterKernel(kernelName, name);
      removeBackend(name);
    },
  });
}

function register(backendName: string, op: string, kernel: HostKernelFunction): void {
  const declaration = declarationOf(op);
  registerBackendKernel(declaration, backendName, ({ inputs, attributes, outputs, backend }) => {
    const given = Object.entries(inputs) as [string, TensorInfo][];
    const results = outputs.map(({ shape, dtype }) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
    });
    kernel({
      inputs: Object.fromEntries(
        given.map(([name, { dataId }]) => [name, backend.readSync(dataId) as Float32Array | Int32Array]),
      ),
      outputs: Object.fromEntries(declaration.outputNames.map((name, i) => [name, results[i]])),
      shapes: Object.fromEntries(given.map(([name, { shape }]) => [name, shape])),
      attributes,
    });
    return outputs.map(({ shape, dtype }, i) => ({
      dataId: backend.write(results[i], shape, dtype),
      shape,
      dtype,
    }));
  });
}
