/**
 * TreeFilter: L. Song et al., "Learnable Tree Filter for Structure-preserving Feature Transform", NeurIPS 2019.
 */
import { reshape, type Tensor, type Tensor4D } from '@tensorflow/tfjs-core';
import type { ScanTree } from '../ops/boruvka_mst.js';
import { defineOp, float32, int32, optional } from '../ops/declare.js';
import type { Metric } from '../ops/edge_dissimilarity.js';
import { OpError } from '../ops/input_checks.js';
import { runOp } from '../ops/kernels.js';
import { gridTree } from './grid_tree.js';
import { affinityAttributes, normalizedTreeScan, optionalTree, parentAffinity } from './scans.js';

const map = (channels: string, doc: string) => float32(['B', 'H', 'W', channels], doc);
/** An optional tree input. */
export const treeOfPixels = optional(
  int32(
    ['B', 'H*W'],
    'tree over the pixels, as boruvkaMST returns it; optional, replaces the tree of the guide',
  ),
);

export const TreeFilter = defineOp({
  name: 'treeFilter',
  doc: 'normalizedTreeScan of a feature map along the tree of a guide, with affinities from an embedding.',
  inputs: {
    feature: map('D', 'feature map to filter'),
    embed: map('C', 'embedding from which the affinities are computed'),
    guide: { ...map('K', 'guide from which the tree is built; embed by default'), optional: true },
    order: treeOfPixels,
    parent: treeOfPixels,
  },
  attributes: affinityAttributes,
  derived: { Y: 'D/G', Z: 'C/G' },
  least: { H: 1, W: 1 },
  outputs: { y: map('D', 'filtered map: weighted means') },
  compose: ({ feature, embed, guide = embed, order, parent }, attributes) => {
    const given = order && parent ? ({ order, parent } as ScanTree) : undefined;
    const tree = given ?? gridTree(guide, { metric: 'euclidean', mapping: 'plus_one' });
    const decay = parentAffinity(byPixel(embed), tree, attributes);
    return reshape(normalizedTreeScan(byPixel(feature), decay, tree), feature.shape as number[]);
  },
});

/** Reshapes [B, H, W, C] to [B, H * W, C]. */
export function byPixel(map: Tensor): Tensor {
  const [batch, height, width, channels] = map.shape as [number, number, number, number];
  return reshape(map, [batch, height * width, channels]);
}

export interface TreeFilterOptions {
  /** [B, H, W, C] float32, from which affinities are computed; the feature itself by default. */
  readonly embed?: Tensor;
  /** [B, H, W, K] float32, from which the tree is built; `embed` by default. It gets no gradient. */
  readonly guide?: Tensor;
  /** Tree to filter along, [B, H * W], instead of that of the guide. */
  readonly tree?: ScanTree;
  /** G, 1 by default; divides C and D. The channels of a group share their affinities. */
  readonly groups?: number;
  /**
   * Metric of affinities: `euclidean` (default, squared), `manhattan` or `cosine`. The tree always uses `euclidean`. With
   * `cosine` affinities exceed 1, which is accurate for maps of a few pixels only: see {@link treeScan}.
   */
  readonly metric?: Metric;
  /** Affinities are exp(-distance / sigma); above 0, 1 by default (Tree Energy Loss and BoxInstSeg: 0.02). */
  readonly sigma?: number;
}

/**
 * Applies the learnable tree filter (NeurIPS 2019, section 3): every pixel becomes the mean of all pixels, weighted by the
 * affinities along the minimum spanning tree of the guide. The tree is that of 1 + squared distance in float32, as
 * published. Differentiable in the feature and the embedding.
 *
 * @param feature [B, H, W, D] float32.
 * @returns [B, H, W, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong, the groups do not divide the channels, both a guide and a tree are
 *   given, or the tree is invalid.
 */
export function treeFilter(feature: Tensor, options: TreeFilterOptions = {}): Tensor4D {
  const { embed = feature, guide, tree, ...attributes } = options;
  if (guide && tree) throw new OpError('treeFilter', 'both guide and tree are given, expected one of them');
  const inputs = { feature, embed, guide, ...optionalTree('treeFilter', tree) };
  return runOp(TreeFilter, inputs, attributes)[0] as Tensor4D;
}
