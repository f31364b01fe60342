/**
 * EdgeDissimilarity: how unlike the features at the two ends of each edge are. The minimum spanning tree of these
 * weights is the topology of a tree scan (GrootVL, section 3.2).
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';
import { checkVertexIds } from './graph_checks.js';
import { runOp } from './kernels.js';

/** Cosine norms are clamped from below here, so that a zero vector has cosine 0 with everything. */
export const SMALLEST_NORM = 1e-8;

/** `cosine`: -cos(f_u, f_v). `euclidean`: squared L2 distance. `manhattan`: L1 distance. */
export type Metric = 'cosine' | 'euclidean' | 'manhattan';

export const EdgeDissimilarity = defineOp({
  name: 'EdgeDissimilarity',
  doc:
    'Dissimilarity of the features at the ends of every edge; smaller means more alike. The same on every backend ' +
    'bit for bit (webgl within 1e-5): sums run in the order stated in plugin/cpu/edge_dissimilarity.ts.',
  inputs: {
    features: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'features of every vertex' },
    edges: { dtype: 'int32', shape: ['E', '2'], doc: 'vertex ids of the two ends of every edge' },
  },
  attributes: {
    metric: {
      type: 'string',
      graphName: 'metric',
      default: 'cosine',
      oneOf: ['cosine', 'euclidean', 'manhattan'],
      doc: 'cosine: -cos, each norm at least 1e-8; euclidean: squared L2; manhattan: L1',
    },
  },
  outputs: { weights: { dtype: 'float32', shape: ['B', 'E'], doc: 'smaller means more alike' } },
  validate: ({ features, edges }, _attributes, read) =>
    checkVertexIds('EdgeDissimilarity', edges, features.shape[1], read),
});

/**
 * Weighs the edges of a graph by how unlike the features at their ends are. Not differentiable: no gradient flows
 * through the choice of a tree.
 *
 * @param features [B, V, D] float32.
 * @param edges [E, 2] int32 vertex ids, such as {@link gridGraph} gives.
 * @param options.metric `cosine` (default): -cos(f_u, f_v), each norm clamped from below at 1e-8 before dividing;
 *     `euclidean`: squared L2 distance; `manhattan`: L1 distance.
 * @returns [B, E] float32, smaller means more alike.
 * @throws {OpError} on wrong ranks or dtypes, or an edge that names a vertex outside 0..V-1.
 */
export function edgeDissimilarity(
  features: Tensor,
  edges: Tensor,
  options: { metric?: Metric } = {},
): Tensor2D {
  return runOp(EdgeDissimilarity, { features, edges }, { metric: options.metric })[0] as Tensor2D;
}
