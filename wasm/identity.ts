/** Identity, which tfjs's wasm backend computes by copying. */
import {
  getKernel,
  type KernelBackend,
  registerKernel,
  type TensorInfo,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { BACKEND } from './tfjs_start.js';

/**
 * Makes clones share the data of their tensor, as on tfjs's other backends, because tensors are immutable. What is known of
 * the data then holds for the clone as well: a tree is not checked again, and packed weights are found. To be called when the
 * backend has started, since tfjs registers its kernel when it is imported.
 */
export function shareClones(): void {
  if (getKernel('Identity', BACKEND)) unregisterKernel('Identity', BACKEND);
  registerKernel({
    kernelName: 'Identity',
    backendName: BACKEND,
    kernelFunc: ({ inputs, backend }) => {
      const { dataId, shape, dtype } = inputs.x as TensorInfo;
      (backend as KernelBackend).incRef(dataId);
      return { dataId, shape, dtype };
    },
  });
}
