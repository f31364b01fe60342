/** Buffers that are made from tensors once and cached as long as these exist: plans of trees, vectors in one buffer. */
import { PerTensorCache } from '../../plugin/kernels/per_tensor_cache.js';
import type { Runner } from './runner.js';

const caches = new WeakMap<Runner, PerTensorCache<GPUBuffer>>();

export function keptBuffers(runner: Runner): PerTensorCache<GPUBuffer> {
  const known = caches.get(runner);
  if (known) return known;
  const cache = new PerTensorCache<GPUBuffer>(runner.backend, (buffer) => runner.release(buffer));
  caches.set(runner, cache);
  return cache;
}
