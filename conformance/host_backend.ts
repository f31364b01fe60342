/** A backend of plain kernels: a copy of tfjs's cpu backend with some kernels replaced. */
import {
  copyRegisteredKernels,
  backend as currentBackend,
  findBackend,
  getKernelsForBackend,
  type KernelBackend,
  registerBackend,
  removeBackend,
  setBackend,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { type BackendKernel, backendKernelOnHost, registerBackendKernel } from '../plugin/ops/kernels.js';
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
  const onHost: BackendKernel = (call) =>
    backendKernelOnHost(declaration, (args) => {
      kernel({ ...args, mostRows: call.outputs[0].shape[0] });
    })(call);
  registerBackendKernel(declaration, backendName, onHost);
}
