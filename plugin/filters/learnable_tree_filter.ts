/**
 * LearnableTreeFilterV2: L. Song et al., "Rethinking Learnable Tree Filter for Generic Feature Transform", NeurIPS 2020.
 */
import {
  add,
  dispose,
  div,
  exp,
  mul,
  neg,
  reshape,
  sigmoid,
  square,
  sub,
  type Tensor,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { gridGraph } from '../graphs.js';
import { readForChecks } from '../kernels/values.js';
import type { Tree } from '../ops/boruvka_mst.js';
import { defineOp } from '../ops/declare.js';
import { edgeDissimilarity } from '../ops/edge_dissimilarity.js';
import { OpError } from '../ops/input_checks.js';
import { runOp } from '../ops/kernels.js';
import { linear } from '../ops/linear.js';
import { parentDissimilarity } from '../ops/parent_dissimilarity.js';
import { randomSpanningTree } from '../ops/random_spanning_tree.js';
import { adaptiveAveragePool } from '../ops/resize.js';
import { stopGradient } from '../ops/stop_gradient.js';
import { treeScan } from '../ops/tree_scan.js';
import { gridTree } from './grid_tree.js';
import { byGroup, type ScanTree } from './scans.js';
import { byPixel } from './tree_filter.js';

/** Added to the filtered confidence before it divides. */
const EPSILON = 1e-8;

/** What a learnable tree filter learns. Tensors or variables. */
export interface LearnableTreeFilterWeights {
  /** [D, C] float32: embed_layer, a 1x1 convolution without bias (PyTorch's [C, D, 1, 1], transposed). G divides C. */
  readonly embed: Tensor;
  /** [K, C] float32: guide_layer, of the channels of the guide. */
  readonly guide: Tensor;
  /** [D, G] float32: conf_layer, whose sigmoid is how much a pixel says in each group. */
  readonly confidence: Tensor;
  /** [G] float32: every edge costs beta^2. It says how many groups there are; G divides D. */
  readonly beta: Tensor;
  /** [1] float32: how much of the filtered feature is added. 0 when training begins. */
  readonly gamma: Tensor;
}

export interface LearnableTreeFilterOptions {
  /**
   * In training: the random tree of this seed, as {@link randomSpanningTree} draws it; an integer from 0 below 2^32. Not on
   * `webgpu`: see {@link randomTreeOfGuide}.
   */
  readonly seed?: number;
  /** Filters along this tree, [B, H * W], in place of one that is made from the guide. */
  readonly tree?: ScanTree;
}

const map = (extents: readonly [string, string, string], doc: string) =>
  ({ dtype: 'float32', shape: ['B', ...extents], doc }) as const;
const treePart = {
  dtype: 'int32',
  shape: ['B', 'H*W'],
  optional: true,
  doc: 'a tree of the pixels',
} as const;

/** The random tree is left out: no seed. */
const NO_SEED = -1;

/** All steps are outputs, so that each can be held against what the authors' code gives. */
export const LearnableTreeFilter = defineOp({
  name: 'learnableTreeFilter',
  doc: 'A tree filter with a learnable unary term: y = gamma R(f c) / (1e-8 + R(c)) + f.',
  inputs: {
    feature: map(['H', 'W', 'D'], 'what is filtered, f'),
    guide: map(['I', 'J', 'K'], 'of which the tree is made, averaged over cells to H x W'),
    embedWeights: { dtype: 'float32', shape: ['D', 'C'], doc: 'of embed_layer' },
    guideWeights: { dtype: 'float32', shape: ['K', 'C'], doc: 'of guide_layer' },
    confidenceWeights: { dtype: 'float32', shape: ['D', 'G'], doc: 'of conf_layer' },
    beta: { dtype: 'float32', shape: ['G'], doc: 'every edge costs its square' },
    gamma: { dtype: 'float32', shape: ['1'], doc: 'of the filtered feature' },
    order: treePart,
    parent: treePart,
  },
  attributes: {
    seed: {
      type: 'integer',
      graphName: 'seed',
      default: NO_SEED,
      least: NO_SEED,
      most: 2 ** 32 - 1,
      doc: 'of the random tree; -1: the minimum spanning tree',
    },
  },
  derived: { X: 'C/G', Y: 'D/G', V: 'H*W' },
  least: { H: 1, W: 1, I: 1, J: 1, G: 1 },
  outputs: {
    y: map(['H', 'W', 'D'], 'the feature, filtered'),
    embed: map(['H', 'W', 'C'], 'embed_layer of f'),
    guideEmbed: map(['H', 'W', 'C'], 'guide_layer of the averaged guide'),
    confidence: map(['H', 'W', 'G'], 'c'),
    decay: { dtype: 'float32', shape: ['B', 'V', 'G'], doc: 'of the scan' },
    filteredConfidence: map(['H', 'W', 'G'], 'R(c)'),
    filteredFeature: map(['H', 'W', 'D'], 'R(f c)'),
    treeOrder: { dtype: 'int32', shape: ['B', 'V'], doc: 'of the tree' },
    treeParent: { dtype: 'int32', shape: ['B', 'V'], doc: 'of the tree' },
  },
  compose: (
    { feature, guide, embedWeights, guideWeights, confidenceWeights, beta, gamma, order, parent },
    { seed },
  ) => {
    const groups = beta.size;
    const embed = linear(feature, embedWeights);
    const guideEmbed = embedded(guide, guideWeights, feature.shape.slice(1, 3) as number[]);
    const confidence = sigmoid(linear(feature, confidenceWeights));
    const tree = order && parent ? ({ order, parent } as ScanTree) : treeOfGuide(guideEmbed, seed);
    const distance = (map: Tensor) =>
      parentDissimilarity(byPixel(map), tree, { metric: 'euclidean', groups });
    const cost = square(beta);
    const decay = exp(neg(add(add(distance(embed), distance(guideEmbed)), cost)));
    const ownWeight = sub(exp(neg(cost)), 1);
    const filtered = (map: Tensor) => {
      const x = byPixel(map);
      return reshape(add(treeScan(x, decay, tree), byGroup(mul, x, ownWeight)), map.shape as number[]);
    };
    const filteredConfidence = filtered(confidence);
    const filteredFeature = filtered(byGroup(mul, feature, confidence));
    const mean = byGroup(div, filteredFeature, add(filteredConfidence, EPSILON));
    return [
      add(mul(mean, gamma), feature),
      ...[embed, guideEmbed, confidence, decay, filteredConfidence, filteredFeature, tree.order, tree.parent],
    ];
  },
});

/** The minimum spanning tree of exp(distance), or the random tree of exp(-distance). */
function treeOfGuide(guideEmbed: Tensor, seed: number): ScanTree {
  if (seed === NO_SEED) return gridTree(guideEmbed, { metric: 'euclidean', mapping: 'exp' });
  const { similarity, edges, numVertices } = similarities(guideEmbed);
  return randomSpanningTree(similarity, edges, { numVertices, seed });
}

/** exp(-distance) of the edges of the grid. */
function similarities(guideEmbed: Tensor) {
  const [, height, width] = guideEmbed.shape as [number, number, number];
  const edges = gridGraph(height, width);
  const distances = edgeDissimilarity(byPixel(stopGradient(guideEmbed)), edges, { metric: 'euclidean' });
  return { similarity: exp(neg(distances)), edges, numVertices: height * width };
}

/** guide_layer of the guide, averaged over cells. */
function embedded(guide: Tensor, weights: Tensor, [height, width]: readonly number[]): Tensor {
  const isSameSize = guide.shape[1] === height && guide.shape[2] === width;
  return linear(
    isSameSize ? guide : adaptiveAveragePool(guide, { outHeight: height, outWidth: width }),
    weights,
  );
}

/**
 * The random tree that {@link learnableTreeFilter} takes for a seed, made before: on `webgpu`, where values are read
 * asynchronously only, it can be had in no other way. Pass it as `tree`; dispose it after the step.
 *
 * @param feature [B, H, W, D] float32, of which the size is used.
 * @param guide [B, I, J, K] float32.
 * @param weights.guide [K, C] float32.
 * @param seed an integer from 0 below 2^32.
 * @throws {OpError} on wrong ranks, dtypes or sizes.
 */
export async function randomTreeOfGuide(
  feature: Tensor,
  guide: Tensor,
  weights: Pick<LearnableTreeFilterWeights, 'guide'>,
  seed: number,
): Promise<Tree> {
  const [similarity, edges] = tidy(() => {
    const made = similarities(embedded(guide, weights.guide, feature.shape.slice(1, 3) as number[]));
    return [made.similarity, made.edges];
  });
  try {
    await readForChecks(similarity);
    const numVertices = (feature.shape[1] as number) * (feature.shape[2] as number);
    return randomSpanningTree(similarity, edges, { numVertices, seed });
  } finally {
    dispose([similarity, edges]);
  }
}

/**
 * The second learnable tree filter (NeurIPS 2020): as {@link treeFilter}, with a confidence for every pixel and a cost for
 * every edge, which let far pixels be heard, added to the feature. Affinities are those of two embeddings, of the feature
 * and of the guide; the tree is the minimum spanning tree of exp(distance) of the embedded guide in float32, as published,
 * or in training a random one. Differentiable in the feature, the guide and all weights; no gradient flows through the
 * tree.
 *
 * @param feature [B, H, W, D] float32.
 * @param guide [B, I, J, K] float32, averaged over cells to H x W.
 * @returns [B, H, W, D] float32.
 * @throws {OpError} on wrong ranks, dtypes or sizes, groups that do not divide channels, both a seed and a tree, or a tree
 *     that is none.
 */
export function learnableTreeFilter(
  feature: Tensor,
  guide: Tensor,
  weights: LearnableTreeFilterWeights,
  options: LearnableTreeFilterOptions = {},
): Tensor4D {
  return tidy(() => learnableTreeFilterSteps(feature, guide, weights, options)[0] as Tensor4D);
}

/** All outputs of {@link LearnableTreeFilter}. */
export function learnableTreeFilterSteps(
  feature: Tensor,
  guide: Tensor,
  weights: LearnableTreeFilterWeights,
  { seed, tree }: LearnableTreeFilterOptions = {},
): Tensor[] {
  if (seed !== undefined && tree) {
    throw new OpError('learnableTreeFilter', 'both seed and tree are given, expected one of them');
  }
  const { embed, guide: guideWeights, confidence, beta, gamma } = weights ?? {};
  const inputs = {
    feature,
    guide,
    embedWeights: embed,
    guideWeights,
    confidenceWeights: confidence,
    beta,
    gamma,
  };
  return runOp(LearnableTreeFilter, { ...inputs, ...treeInputsOf(tree) }, { seed });
}

function treeInputsOf(tree: ScanTree | undefined) {
  return { order: tree?.order, parent: tree?.parent };
}
