/** Compositions of scans that tree models share: normalised scans, and scans with edge weights. */
import {
  div,
  exp,
  expandDims,
  mul,
  neg,
  ones,
  reshape,
  type Tensor,
  type Tensor3D,
} from '@tensorflow/tfjs-core';
import { type ScanTree, treeInputs } from '../ops/boruvka_mst.js';
import { defineOp, float32, optional } from '../ops/declare.js';
import { type Metric, metricAttribute } from '../ops/edge_dissimilarity.js';
import { OpError } from '../ops/input_checks.js';
import { runOp } from '../ops/kernels.js';
import { distanceAttributes, parentDissimilarity } from '../ops/parent_dissimilarity.js';
import { treeScan } from '../ops/tree_scan.js';
import { gridTree } from './grid_tree.js';

/**
 * Returns an optional tree as optional inputs of an op.
 * @throws {OpError} if it is given without both of its parts.
 */
export function optionalTree(op: string, tree: ScanTree | undefined): Partial<ScanTree> {
  if (!tree) return {};
  const { order, parent } = tree;
  if (!order || !parent) {
    throw new OpError(
      op,
      `tree has no ${order ? 'parent' : 'order'}, expected a tree such as boruvkaMST gives`,
    );
  }
  return { order, parent };
}

export const NormalizedTreeScan = defineOp({
  name: 'normalizedTreeScan',
  doc: 'The tree scan of x divided by the tree scan of ones, both over the whole tree.',
  inputs: {
    x: float32(['B', 'V', 'D'], 'contribution of each vertex, by vertex id'),
    decay: float32(['B', 'V', 'G'], 'decay of the edge to the parent, for each channel group'),
    ...treeInputs,
  },
  attributes: {},
  derived: { K: 'D/G' },
  least: { V: 1, G: 1 },
  outputs: { y: float32(['B', 'V', 'D'], 'weighted means by vertex id') },
  compose: ({ x, decay, order, parent }) => {
    const tree = { order, parent };
    return byGroup(div, treeScan(x, decay, tree), treeScan(ones(decay.shape), decay, tree));
  },
});

/** Applies an operation to x [..., D] and y [..., G], where channel d of x is paired with channel floor(d / (D/G)) of y. */
export function byGroup(operation: (x: Tensor, y: Tensor) => Tensor, x: Tensor, y: Tensor): Tensor {
  const [channels, groups] = [x, y].map(({ shape }) => shape[shape.length - 1] as number);
  if (groups === 1 || groups === channels) return operation(x, y);
  const leading = x.shape.slice(0, -1);
  return reshape(
    operation(reshape(x, [...leading, groups, channels / groups]), expandDims(y, -1)),
    x.shape as number[],
  );
}

/**
 * Computes, for every vertex, the mean over the whole tree weighted by the decays on the path: `scan(x) / scan(ones)`, the
 * filter of TreeFilter (NeurIPS 2019, section 3), Tree Energy Loss and BoxInstSeg. Differentiable in x and decay, through
 * both scans.
 *
 * @param x [B, V, D] float32 by vertex id.
 * @param decay [B, V, G] float32, G divides D: see {@link treeScan}.
 * @param tree `order` and `parent` [B, V] int32, for example from {@link boruvkaMST}.
 * @returns [B, V, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong, or `order` and `parent` do not form a tree.
 */
export function normalizedTreeScan(x: Tensor, decay: Tensor, tree: ScanTree): Tensor3D {
  const { order, parent } = tree ?? {};
  return runOp(NormalizedTreeScan, { x, decay, order, parent })[0] as Tensor3D;
}

/** Attributes of affinities along a tree. */
export const affinityAttributes = {
  ...distanceAttributes,
  metric: { ...metricAttribute, default: 'euclidean' },
  sigma: { type: 'number', default: 1, least: 2 ** -126, doc: 'divisor of the distances' },
} as const;

export const ParentAffinity = defineOp({
  name: 'parentAffinity',
  doc: 'exp(-ParentDissimilarity / sigma).',
  inputs: {
    features: float32(['B', 'V', 'C'], 'features by vertex id'),
    ...treeInputs,
  },
  attributes: affinityAttributes,
  derived: { K: 'C/G' },
  least: { V: 1 },
  outputs: { decay: float32(['B', 'V', 'G'], 'decay of each vertex and group; 1 at the root') },
  compose: ({ features, order, parent }, { metric, groups, sigma }) => {
    const distance = parentDissimilarity(features, { order, parent }, { metric, groups });
    return exp(sigma === 1 ? neg(distance) : div(distance, -sigma));
  },
});

/**
 * Computes the affinity of every vertex and its parent, as the decays of a scan: `exp(-distance / sigma)` of each group of
 * channels (TreeFilter, NeurIPS 2019, section 3; sigma: Tree Energy Loss, CVPR 2022, Tree Affinity Generation).
 * Differentiable in the features.
 *
 * @param features [B, V, C] float32 by vertex id.
 * @param tree `order` and `parent` [B, V] int32, for example from {@link boruvkaMST}.
 * @param options.metric `euclidean` (default, squared), `manhattan` or `cosine`: see {@link parentDissimilarity}. With
 *     `cosine` decays reach exp(1 / sigma), above 1: see {@link treeScan}.
 * @param options.groups G, 1 by default; divides C. Group g has the channels g * C/G to (g + 1) * C/G - 1.
 * @param options.sigma above 0, 1 by default.
 * @returns [B, V, G] float32; 1 at the root.
 * @throws {OpError} if a rank, dtype or size is wrong, or `order` and `parent` do not form a tree.
 */
export function parentAffinity(
  features: Tensor,
  tree: ScanTree,
  options: { metric?: Metric; groups?: number; sigma?: number } = {},
): Tensor3D {
  const { order, parent } = tree ?? {};
  return runOp(ParentAffinity, { features, order, parent }, { ...options })[0] as Tensor3D;
}

export const GrootVScan = defineOp({
  name: 'grootVScan',
  doc: 'A scan along the tree of the features, with an optional coefficient per edge.',
  inputs: {
    x: float32(['B', 'H*W', 'D'], 'contribution of each pixel'),
    decay: float32(
      ['B', 'H*W', 'G'],
      'decay of the edge from each pixel to its parent, for each channel group',
    ),
    features: float32(['B', 'H', 'W', 'C'], 'features from which the tree is built'),
    coefficient: optional(
      float32(
        ['B', 'H*W'],
        'factor on all decays of the edge from each vertex to its parent; ignored at the root',
      ),
    ),
  },
  attributes: {
    metric: metricAttribute,
    maximum: { type: 'boolean', default: false, doc: 'whether to use the maximum spanning tree' },
  },
  derived: { K: 'D/G' },
  least: { H: 1, W: 1, G: 1 },
  outputs: { y: float32(['B', 'H*W', 'D'], 'sum at each pixel') },
  compose: ({ x, decay, features, coefficient }, { metric, maximum }) => {
    const tree = gridTree(features, { metric, maximum });
    return treeScan(x, coefficient ? mul(decay, expandDims(coefficient, -1)) : decay, tree);
  },
});

/**
 * Runs GrootV's scan module (GrootVL, section 3.2): builds the tree of the features and scans along it. Differentiable in x,
 * decay and coefficient; no gradient flows through the tree.
 *
 * @param x [B, V, D] float32, V = H * W.
 * @param decay [B, V, G] float32, G divides D.
 * @param features [B, H, W, C] float32, from which the tree is built.
 * @param options.coefficient [B, V] float32: multiplies all decays of the edge from a vertex to its parent; that of the root
 *   is ignored. The published models leave it at 1.
 * @param options.maximum whether to use the maximum spanning tree of exp(cos), which joins dissimilar pixels. False by
 *   default.
 * @param options.metric `cosine` (default), `euclidean` (the authors' norm2) or `manhattan`; the tree is that of its exp.
 * @returns [B, V, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function grootVScan(
  x: Tensor,
  decay: Tensor,
  features: Tensor,
  options: { coefficient?: Tensor; maximum?: boolean; metric?: Metric } = {},
): Tensor3D {
  const { coefficient, ...attributes } = options;
  return runOp(GrootVScan, { x, decay, features, coefficient }, attributes)[0] as Tensor3D;
}
