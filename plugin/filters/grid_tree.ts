/**
 * Trees over the pixels of a map, as the published models build them. Each model maps the edge weights before it computes
 * the minimum spanning tree. In exact arithmetic no such mapping changes a tree; in float32 it creates ties, of which the
 * lowest edge wins, so the mapping is kept.
 */
import { add, exp, neg, reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { gridGraph } from '../graphs.js';
import { boruvkaMST, type Tree, treeOf, treeOutputs } from '../ops/boruvka_mst.js';
import { defineOp, float32 } from '../ops/declare.js';
import { edgeDissimilarity, type Metric, metricAttribute } from '../ops/edge_dissimilarity.js';
import { runOp } from '../ops/kernels.js';
import { stopGradient } from '../ops/stop_gradient.js';

/**
 * The mapping that a model applies to edge weights before it computes the minimum spanning tree. `none`: no change.
 * `plus_one`: adds 1 (TreeFilter, Tree Energy Loss, BoxInstSeg, APro). `exp`: the exponential, +Infinity above 88.72 and 1
 * below 6e-8 (LearnableTreeFilterV2, UIS-Mamba, GrootV and GG-SSM).
 */
export type TreeMapping = 'none' | 'plus_one' | 'exp';

export interface GridTreeOptions {
  /** Dissimilarity of two pixels: see {@link edgeDissimilarity}. `cosine` by default. */
  readonly metric?: Metric;
  /** `exp` by default. */
  readonly mapping?: TreeMapping;
  /** Whether to join dissimilar pixels: the minimum spanning tree of the mapped negative weights. False by default. */
  readonly maximum?: boolean;
  /** Root pixel, `y * W + x`; 0 by default. */
  readonly root?: number;
}

export const GridTree = defineOp({
  name: 'gridTree',
  doc: 'The minimum spanning tree of a grid, weighted by the mapped dissimilarity of adjacent pixels.',
  inputs: { features: float32(['B', 'H', 'W', 'C'], 'features of each pixel') },
  attributes: {
    metric: metricAttribute,
    mapping: {
      type: 'string',
      default: 'exp',
      oneOf: ['none', 'plus_one', 'exp'],
      doc: 'function applied to the edge weights before the tree is built: none, plus_one (w + 1) or exp',
    },
    maximum: {
      type: 'boolean',
      default: false,
      doc: 'whether to negate the weights before the mapping, for a maximum spanning tree',
    },
    root: { type: 'integer', default: 0, least: 0, doc: 'root vertex of the tree' },
  },
  derived: { V: 'H*W', E: '(H-1)*W+H*(W-1)' },
  least: { H: 1, W: 1 },
  outputs: {
    ...treeOutputs,
    weights: float32(['B', 'E'], 'mapped weights of the edges of the grid'),
  },
  compose: ({ features }, { metric, mapping, maximum, root }) => {
    const [batch, height, width, channels] = features.shape as [number, number, number, number];
    const numVertices = height * width;
    const edges = gridGraph(height, width);
    // No gradient flows through the choice of a tree, so nothing is recorded.
    const rows = reshape(stopGradient(features), [batch, numVertices, channels]);
    const plain = edgeDissimilarity(rows, edges, { metric });
    const weights = mapped(maximum ? neg(plain) : plain, mapping);
    const { edgeIndex, order, parent } = boruvkaMST(weights, edges, { numVertices, root });
    return [edgeIndex, order, parent, weights];
  },
});

/**
 * Maps edge weights as a model does before it computes its tree, in float32.
 * @param weights [B, E] float32.
 */
export function mapped(weights: Tensor, mapping: TreeMapping): Tensor {
  if (mapping === 'none' || weights.size === 0) return weights;
  return mapping === 'exp' ? exp(weights) : add(weights, 1);
}

/**
 * Builds the spanning tree of the pixels of a map: of the 4-connected grid, weighted by the dissimilarity of neighbours. The
 * default is GrootV's tree (GrootVL, section 3.2: exp of the negative cosine). No gradient flows through it.
 *
 * @param features [B, H, W, C] float32.
 * @returns the tree of the pixels `y * W + x`, V = H * W.
 * @throws {OpError} if the rank or dtype is wrong, the map has no pixels, or an option is invalid.
 */
export function gridTree(features: Tensor, options: GridTreeOptions = {}): Tree {
  return treeOf(tidy(() => runOp(GridTree, { features }, { ...options }).slice(0, 3)));
}
