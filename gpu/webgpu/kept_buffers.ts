/** Buffers that are made from tensors once and cached as long as these exist: plans of trees, vectors in one buffer. */
import { PerTensorCache } from '../../plugin/kernels/per_tensor_cache.js';
import type { Runner } from './runner.js';

const caches = new WeakMap<Runner, PerTensorCache<GPUBuffer>>();

export function keptBuffers(runner: Runner): PerTensorCache<GPUBuffer> {
  const cache =
    caches.get(runner) ?? new PerTensorCache(runner.backend, (buffer: GPUBuffer) => runner.release(buffer));
  caches.set(runner, cache);
  return cache;
}
