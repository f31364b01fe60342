/**
 * Trees over the pixels of a map, as the published models make them. Each maps the weights of the edges before its
 * minimum spanning tree. In exact arithmetic no such mapping changes a tree; in float32 it makes ties, of which the lowest
 * edge wins, so it is kept.
 */
import { add, exp, neg, reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { gridGraph } from '../graphs.js';
import { boruvkaMST, type Tree, treeOf, treeOutputs } from '../ops/boruvka_mst.js';
import { defineOp } from '../ops/declare.js';
import { edgeDissimilarity, type Metric, metricAttribute } from '../ops/edge_dissimilarity.js';
import { runOp } from '../ops/kernels.js';
import { stopGradient } from '../ops/stop_gradient.js';

/**
 * What a model does to the weights of edges before it takes the minimum spanning tree. `none`: nothing. `plus_one`: adds
 * 1 (TreeFilter, Tree Energy Loss, BoxInstSeg, APro). `exp`: the exponential, +Infinity above 88.72 and 1 below 6e-8
 * (LearnableTreeFilterV2, UIS-Mamba, GrootV and GG-SSM).
 */
export type TreeMapping = 'none' | 'plus_one' | 'exp';

export interface GridTreeOptions {
  /** How unlike two pixels are: see {@link edgeDissimilarity}. `cosine` by default. */
  readonly metric?: Metric;
  /** `exp` by default. */
  readonly mapping?: TreeMapping;
  /** Joins what is unlike: the minimum spanning tree of the mapped negative weights. False by default. */
  readonly maximum?: boolean;
  /** Pixel `y * W + x` at which the tree begins; 0 by default. */
  readonly root?: number;
}

export const GridTree = defineOp({
  name: 'gridTree',
  doc: 'The minimum spanning tree of a grid by how unlike its pixels are, mapped.',
  inputs: { features: { dtype: 'float32', shape: ['B', 'H', 'W', 'C'], doc: 'features of every pixel' } },
  attributes: {
    metric: metricAttribute,
    mapping: {
      type: 'string',
      graphName: 'mapping',
      default: 'exp',
      oneOf: ['none', 'plus_one', 'exp'],
      doc: 'of the weights before the tree',
    },
    maximum: {
      type: 'boolean',
      graphName: 'maximum',
      default: false,
      doc: 'the tree of the negative weights, mapped',
    },
    root: { type: 'integer', graphName: 'root', default: 0, least: 0, doc: 'of the tree' },
  },
  derived: { V: 'H*W', E: '(H-1)*W+H*(W-1)' },
  least: { H: 1, W: 1 },
  outputs: {
    ...treeOutputs,
    weights: { dtype: 'float32', shape: ['B', 'E'], doc: 'mapped weights of the edges of the grid' },
  },
  compose: ({ features }, { metric, mapping, maximum, root }) => {
    const [batch, height, width, channels] = features.shape as [number, number, number, number];
    const numVertices = height * width;
    const edges = gridGraph(height, width);
    // No gradient flows through the choice of a tree: nothing of it is recorded.
    const rows = reshape(stopGradient(features), [batch, numVertices, channels]);
    const plain = edgeDissimilarity(rows, edges, { metric });
    const weights = mapped(maximum ? neg(plain) : plain, mapping);
    const { edgeIndex, order, parent } = boruvkaMST(weights, edges, { numVertices, root });
    return [edgeIndex, order, parent, weights];
  },
});

/** The weights of edges as a model maps them before its tree, in float32. @param weights [B, E] float32. */
export function mapped(weights: Tensor, mapping: TreeMapping): Tensor {
  if (mapping === 'none' || weights.size === 0) return weights;
  return mapping === 'exp' ? exp(weights) : add(weights, 1);
}

/**
 * The spanning tree of the pixels of a map: of the 4-connected grid, by how unlike neighbours are. By default GrootV's
 * (GrootVL, section 3.2: exp of the negative cosine). No gradient flows through it.
 *
 * @param features [B, H, W, C] float32.
 * @returns the tree of the pixels `y * W + x`, V = H * W.
 * @throws {OpError} on a wrong rank or dtype, a map without pixels, or options that are none.
 */
export function gridTree(features: Tensor, options: GridTreeOptions = {}): Tree {
  return treeOf(tidy(() => runOp(GridTree, { features }, { ...options }).slice(0, 3)));
}
