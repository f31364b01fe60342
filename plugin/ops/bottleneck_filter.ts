/**
 * BottleneckFilter: a mean over the whole tree, in which two vertices are as close as the longest edge on the path between
 * them is short (W. Li et al., "Label-efficient Segmentation via Affinity Propagation", NeurIPS 2023).
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { type ScanTree, treeInputs } from './boruvka_mst.js';
import { defineOp } from './declare.js';
import { checkTree } from './graph_checks.js';
import { runOp } from './kernels.js';

export const BottleneckFilter = defineOp({
  name: 'BottleneckFilter',
  doc:
    'y[v] = sum over every u of a(u, v) * x[u] / sum over every u of a(u, v), with a(u, v) = exp(-(largest distance on ' +
    'the path u..v) / zeta^2) and a(v, v) = 1. No gradient. The inputs are read on the host of backends without a kernel.',
  inputs: {
    x: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'values by vertex id' },
    distance: {
      dtype: 'float32',
      shape: ['B', 'V'],
      doc: 'distance[b, v] is that of v and its parent; that of the root is ignored',
    },
    ...treeInputs,
  },
  attributes: {
    // A smaller one leaves no more than x, and its square is no float32.
    zeta: { type: 'number', graphName: 'zeta', least: 1e-15, doc: 'distances are in units of its square' },
  },
  outputs: { y: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'means by vertex id' } },
  least: { V: 1 },
  reads: ['x', 'distance', 'order', 'parent'],
  validate: ({ order, parent }, _attributes, read) => checkTree('BottleneckFilter', order, parent, read),
});

/**
 * The affinity-weighted mean of values over a whole tree, O(V log V + V D). The affinity of two vertices is
 * exp(-(largest distance on the path between them) / zeta^2), that of a vertex to itself 1. Not differentiable: it makes
 * labels.
 *
 * It runs on the host of backends without a kernel for it; on one that reads asynchronously only, `await
 * readForChecks(x, distance)` comes before.
 *
 * @param x [B, V, D] float32 by vertex id.
 * @param distance [B, V] float32: distance[b, v] is that of v and its parent, at least 0, such as parentDissimilarity
 *     gives for one group; the root's is ignored.
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` of the same meaning.
 * @param options.zeta at least 1e-15.
 * @returns y [B, V, D] float32 by vertex id.
 * @throws {OpError} on wrong ranks, dtypes or sizes, or an `order` and `parent` that are no tree.
 */
export function bottleneckFilter(
  x: Tensor,
  distance: Tensor,
  tree: ScanTree,
  options: { zeta: number },
): Tensor3D {
  const { order, parent } = tree ?? {}; // the check of inputs says that it is missing
  const { zeta } = options ?? {};
  return runOp(BottleneckFilter, { x, distance, order, parent }, { zeta })[0] as Tensor3D;
}
