/** Keeps ids on the host: those of edges and trees, which the checks of ops read before a kernel runs. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { type HostArray, readAsynchronously } from '../../plugin/kernels/values.js';

const uploaded = new WeakMap<object, HostArray>();
/** Edges and trees have rank 2. Images, which may also be integers, have more. */
const MOST_AXES = 2;

/** Keeps ids that came from the host, which tfjs drops once it has uploaded them. */
export function keepIds(backend: WebGPUBackend): void {
  const uploadToGPU = backend.uploadToGPU.bind(backend);
  backend.uploadToGPU = (dataId) => {
    const { values, dtype, shape, resource } = backend.tensorMap.get(dataId);
    if (!resource && values && dtype === 'int32' && shape.length <= MOST_AXES) {
      uploaded.set(dataId, (values as Int32Array).slice());
    }
    uploadToGPU(dataId);
  };
}

readAsynchronously('webgpu', (backend, { dataId }) => {
  const { values } = (backend as WebGPUBackend).tensorMap.get(dataId);
  return (values as HostArray | null) ?? uploaded.get(dataId);
});
