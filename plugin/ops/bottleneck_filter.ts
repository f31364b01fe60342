/**
 * BottleneckFilter: a weighted mean over the whole tree in which the affinity of two vertices depends on the longest edge on
 * the path between them (W. Li et al., "Label-efficient Segmentation via Affinity Propagation", NeurIPS 2023).
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { type ScanTree, treeInputs } from './boruvka_mst.js';
import { defineOp, float32 } from './declare.js';
import { checkTree } from './graph_checks.js';
import { runOp } from './kernels.js';

export const BottleneckFilter = defineOp({
  name: 'BottleneckFilter',
  doc:
    'y[v] = sum over every u of a(u, v) * x[u] / sum over every u of a(u, v), with a(u, v) = exp(-(largest distance on ' +
    'the path u..v) / zeta^2) and a(v, v) = 1. No gradient. The inputs are read on the host on backends without a ' +
    'kernel.',
  inputs: {
    x: float32(['B', 'V', 'D'], 'input values by vertex id'),
    distance: float32(
      ['B', 'V'],
      'distance between each vertex and its parent, by vertex id; ignored at the root',
    ),
    ...treeInputs,
  },
  attributes: {
    // With a smaller zeta the result is just x, and its square underflows float32.
    zeta: { type: 'number', least: 1e-15, doc: 'scale of the distances, which are divided by zeta^2' },
  },
  outputs: { y: float32(['B', 'V', 'D'], 'weighted means by vertex id') },
  least: { V: 1 },
  reads: ['x', 'distance', 'order', 'parent'],
  validate: ({ order, parent }, _attributes, read) => checkTree('BottleneckFilter', order, parent, read),
});

/**
 * Computes the affinity-weighted mean of values over a whole tree in O(V log V + V D). The affinity of two vertices is
 * exp(-(largest distance on the path between them) / zeta^2), and 1 for a vertex and itself. Not differentiable: it is used
 * to make labels.
 *
 * Runs on the host where the backend has no kernel for it; on a backend that can only be read asynchronously, call
 * `await readForChecks(x, distance)` first.
 * @param x [B, V, D] float32 by vertex id.
 * @param distance [B, V] float32, at least 0: distance[b, v] is the distance between v and its parent, for example from
 *   parentDissimilarity with one group; the root's value is ignored.
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` with the same meaning.
 * @param options.zeta at least 1e-15.
 * @returns y [B, V, D] float32 by vertex id.
 * @throws {OpError} if a rank, dtype or size is wrong, or `order` and `parent` do not form a tree.
 */
export function bottleneckFilter(
  x: Tensor,
  distance: Tensor,
  tree: ScanTree,
  options: { zeta: number },
): Tensor3D {
  const { order, parent } = tree ?? {}; // if they are missing, the input check reports it
  const { zeta } = options ?? {};
  return runOp(BottleneckFilter, { x, distance, order, parent }, { zeta })[0] as Tensor3D;
}
