/** The part of a tree that scans need: where levels and children start in its breadth-first order. */
import { PerTensorCache } from '../../plugin/kernels/per_tensor_cache.js';
import type { Block } from './backend/allocator.js';
import type { CudaBackend } from './backend/backend.js';
import { WARP } from './backend/kernels/constants.js';
import type { DeviceTensor, KernelCall } from './backend/kernels.js';
import { IMAGE_THREADS } from './constants.js';

const INT_BYTES = 4;

const caches = new WeakMap<CudaBackend, PerTensorCache<Block>>();

/** Returns the schedule (tree_schedule.h) of a tree [B, V], computed on first use and freed with the tree. */
export function scheduleOf(call: KernelCall, parent: DeviceTensor): Block {
  const { backend } = call;
  const [batch, numVertices] = parent.shape;
  const cache = caches.get(backend) ?? new PerTensorCache<Block>(backend, (block) => backend.release(block));
  caches.set(backend, cache);
  const threads = Math.min(IMAGE_THREADS, WARP * Math.ceil(numVertices / WARP));
  return cache.get(
    [parent],
    'schedule',
    () => backend.scratch(INT_BYTES * batch * (2 * numVertices + 4)),
    (schedules) => call.launch('tree_schedule', { blocks: batch, threads }, parent, schedules, numVertices),
  );
}
