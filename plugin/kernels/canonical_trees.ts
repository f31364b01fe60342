/**
 * Converts trees to the form that kernels require, breadth-first order, once per tree that a caller gives in another order.
 */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import { reorderedTrees } from '../ops/graph_checks.js';
import { PerTensorCache } from './per_tensor_cache.js';

interface TreeTensors {
  readonly order: TensorInfo;
  readonly parent: TensorInfo;
}

const caches = new WeakMap<KernelBackend, PerTensorCache<TreeTensors>>();

/**
 * Returns the inputs of an op with its tree, if any, in breadth-first order. Trees of boruvkaMST already are; those of a
 * caller were read by the checks. The converted tensors are freed together with those of the caller.
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
