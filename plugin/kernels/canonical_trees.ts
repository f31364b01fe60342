/** Trees as kernels get them: in breadth-first order, brought into it once where a caller gave another. */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import { reorderedTrees } from '../ops/graph_checks.js';
import { PerTensorCache } from './per_tensor_cache.js';

interface TreeTensors {
  readonly order: TensorInfo;
  readonly parent: TensorInfo;
}

const caches = new WeakMap<KernelBackend, PerTensorCache<TreeTensors>>();

/**
 * The inputs of an op with its tree, if it has one, in breadth-first order. Trees of boruvkaMST are so already; those of
 * a caller were read by the checks. The tensors that are made of these go with those of the caller.
 * @param inputs checked.
 */
export function withCanonicalTree<Inputs extends Readonly<Record<string, TensorInfo>>>(
  inputs: Inputs,
  backend: KernelBackend,
): Inputs {
  const { order, parent } = inputs;
  const values = order && parent && reorderedTrees(order, parent);
  if (!values) return inputs;
  const tree = cacheOf(backend).get([order, parent], 'breadth-first', () => {
    const write = (ids: Int32Array): TensorInfo => {
      const { shape, dtype } = order;
      return { dataId: backend.write(ids, shape, dtype), shape, dtype };
    };
    return { order: write(values.order), parent: write(values.parent) };
  });
  return { ...inputs, ...tree };
}

function cacheOf(backend: KernelBackend): PerTensorCache<TreeTensors> {
  const known = caches.get(backend);
  if (known) return known;
  const cache = new PerTensorCache<TreeTensors>(backend, ({ order, parent }) => {
    for (const { dataId } of [order, parent]) backend.disposeData(dataId);
  });
  caches.set(backend, cache);
  return cache;
}
