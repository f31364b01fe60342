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
import type { ScanTree, Tree } from '../ops/boruvka_mst.js';
import { defineOp, float32, int32 } from '../ops/declare.js';
import { edgeDissimilarity } from '../ops/edge_dissimilarity.js';
import { awaitedInputs, runOp } from '../ops/kernels.js';
import { linear } from '../ops/linear.js';
import { parentDissimilarity } from '../ops/parent_dissimilarity.js';
import { RandomSpanningTree, randomSpanningTree } from '../ops/random_spanning_tree.js';
import { adaptiveAveragePool } from '../ops/resize.js';
import { stopGradient } from '../ops/stop_gradient.js';
import { treeScan } from '../ops/tree_scan.js';
import { gridTree } from './grid_tree.js';
import { byGroup, optionalTree } from './scans.js';
import { byPixel, treeOfPixels } from './tree_filter.js';

/** Added to the filtered confidence before the division. */
const EPSILON = 1e-8;

/** The parameters of a learnable tree filter, as tensors or variables. */
export interface LearnableTreeFilterWeights {
  /** [D, C] float32: embed_layer, a 1x1 convolution without bias (PyTorch's [C, D, 1, 1], transposed). G divides C. */
  readonly embed: Tensor;
  /** [K, C] float32: guide_layer, of the channels of the guide. */
  readonly guide: Tensor;
  /** [D, G] float32: conf_layer, whose sigmoid is the weight of a pixel in each group. */
  readonly confidence: Tensor;
  /** [G] float32: every edge costs beta^2. Its length is the number of groups; G divides D. */
  readonly beta: Tensor;
  /** [1] float32: scale of the filtered feature. 0 when training begins. */
  readonly gamma: Tensor;
}

export interface LearnableTreeFilterOptions {
  /**
   * Tree to filter along, [B, H * W], instead of the minimum spanning tree of the guide: during training, the random tree of
   * {@link randomTreeOfGuide}.
   */
  readonly tree?: ScanTree;
}

const map = (extents: readonly [string, string, string], doc: string) => float32(['B', ...extents], doc);

/** All steps are outputs, so that each can be compared with the authors' code. */
export const LearnableTreeFilter = defineOp({
  name: 'learnableTreeFilter',
  doc: 'A tree filter with a learnable unary term: y = gamma R(f c) / (1e-8 + R(c)) + f.',
  inputs: {
    feature: map(['H', 'W', 'D'], 'feature map f to filter'),
    guide: map(['I', 'J', 'K'], 'guide from which the tree is built, averaged over cells to H x W'),
    embedWeights: float32(['D', 'C'], 'weights of embed_layer'),
    guideWeights: float32(['K', 'C'], 'weights of guide_layer'),
    confidenceWeights: float32(['D', 'G'], 'weights of conf_layer'),
    beta: float32(['G'], 'square root of the edge cost of each group'),
    gamma: float32(['1'], 'factor gamma on the filtered feature'),
    order: treeOfPixels,
    parent: treeOfPixels,
  },
  attributes: {},
  derived: { X: 'C/G', Y: 'D/G', V: 'H*W' },
  least: { H: 1, W: 1, I: 1, J: 1, G: 1 },
  outputs: {
    y: map(['H', 'W', 'D'], 'filtered feature'),
    embed: map(['H', 'W', 'C'], 'output of embed_layer for f'),
    guideEmbed: map(['H', 'W', 'C'], 'output of guide_layer for the averaged guide'),
    confidence: map(['H', 'W', 'G'], 'confidence c'),
    decay: float32(['B', 'V', 'G'], 'decay of the tree scan'),
    filteredConfidence: map(['H', 'W', 'G'], 'filtered confidence R(c)'),
    filteredFeature: map(['H', 'W', 'D'], 'filtered feature R(f c)'),
    treeOrder: int32(['B', 'V'], 'vertex ids, each parent before its children'),
    treeParent: int32(['B', 'V'], 'position in the order of the parent of each vertex; 0 for the root'),
  },
  compose: (inputs) => {
    const { feature, guide, embedWeights, guideWeights, confidenceWeights, beta, gamma, order, parent } =
      inputs;
    const groups = beta.size;
    const embed = linear(feature, embedWeights);
    const guideEmbed = embedded(guide, guideWeights, feature);
    const confidence = sigmoid(linear(feature, confidenceWeights));
    const given = order && parent ? { order, parent } : undefined;
    const tree = given ?? gridTree(guideEmbed, { metric: 'euclidean', mapping: 'exp' });
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

/** The edge weights of a random tree: exp(-distance) of the embedded guide. */
const GuideSimilarity = defineOp({
  name: 'randomTreeOfGuide',
  doc: 'exp(-dissimilarity) of the embedded guide along each edge of its grid, and these edges.',
  inputs: {
    feature: { ...map(['H', 'W', 'D'], 'feature map; only its height and width are used'), shapeOnly: true },
    guide: map(['I', 'J', 'K'], 'guide, averaged over cells to H x W'),
    guideWeights: float32(['K', 'C'], 'weights of guide_layer'),
  },
  attributes: {},
  derived: { E: '(H-1)*W+H*(W-1)' },
  least: { H: 1, W: 1, I: 1, J: 1 },
  outputs: {
    similarity: float32(['B', 'E'], 'similarity of each edge of the grid'),
    edges: int32(['E', '2'], 'edges of the grid as pairs of vertex ids'),
  },
  compose: ({ feature, guide, guideWeights }) => {
    const [, height, width] = feature.shape as [number, number, number];
    const edges = gridGraph(height, width);
    const rows = byPixel(stopGradient(embedded(guide, guideWeights, feature)));
    return [exp(neg(edgeDissimilarity(rows, edges, { metric: 'euclidean' }))), edges];
  },
});

/** Averages the guide over cells to the size of the feature, and applies guide_layer. */
function embedded(guide: Tensor, weights: Tensor, feature: Tensor): Tensor {
  const [, height, width] = feature.shape as [number, number, number];
  const isSameSize = guide.shape[1] === height && guide.shape[2] === width;
  const cells = isSameSize ? guide : adaptiveAveragePool(guide, { outHeight: height, outWidth: width });
  return linear(cells, weights);
}

/**
 * Draws the random tree along which the authors train {@link learnableTreeFilter}, with similarities exp(-distance) of the
 * embedded guide: see {@link randomSpanningTree}. Draw a new one for each training step and dispose it after the step. No
 * gradient flows through it.
 *
 * @param feature [B, H, W, D] float32, of which only the size is used.
 * @param guide [B, I, J, K] float32.
 * @param weights.guide [K, C] float32.
 * @param seed an integer; only the lower 32 bits are used.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export async function randomTreeOfGuide(
  feature: Tensor,
  guide: Tensor,
  weights: Pick<LearnableTreeFilterWeights, 'guide'>,
  seed: number,
): Promise<Tree> {
  const [similarity, edges] = runOp(GuideSimilarity, { feature, guide, guideWeights: weights?.guide });
  try {
    if (awaitedInputs(RandomSpanningTree).length > 0) await readForChecks(similarity);
    const [, height, width] = feature.shape as [number, number, number];
    return randomSpanningTree(similarity, edges, { numVertices: height * width, seed });
  } finally {
    dispose([similarity, edges]);
  }
}

/**
 * Applies the second learnable tree filter (NeurIPS 2020): like {@link treeFilter}, with a weight for every pixel (its
 * confidence) and a cost for every edge; the result is added to the feature. Affinities are the product of those of two
 * embeddings, of the feature and of the guide; the tree is the minimum spanning tree of exp(distance) of the embedded guide
 * in float32, as published. Differentiable in the feature, the guide and all weights; no gradient flows through the tree.
 *
 * @param feature [B, H, W, D] float32.
 * @param guide [B, I, J, K] float32, averaged over cells to H x W.
 * @param weights of the layers, float32, with the shapes of {@link LearnableTreeFilterWeights}.
 * @param options.tree `order` and `parent` [B, H * W] int32, instead of the minimum spanning tree of the guide.
 * @returns [B, H, W, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong, the groups do not divide the channels, or the tree is invalid.
 */
export function learnableTreeFilter(
  feature: Tensor,
  guide: Tensor,
  weights: LearnableTreeFilterWeights,
  options: LearnableTreeFilterOptions = {},
): Tensor4D {
  return tidy(() => learnableTreeFilterSteps(feature, guide, weights, options)[0] as Tensor4D);
}

/** Returns all outputs of {@link LearnableTreeFilter}. */
export function learnableTreeFilterSteps(
  feature: Tensor,
  guide: Tensor,
  weights: LearnableTreeFilterWeights,
  { tree }: LearnableTreeFilterOptions = {},
): Tensor[] {
  const { embed, guide: guideWeights, confidence, beta, gamma } = weights ?? {};
  const layers = { embedWeights: embed, guideWeights, confidenceWeights: confidence };
  const inputs = { feature, guide, ...layers, beta, gamma, ...optionalTree('learnableTreeFilter', tree) };
  return runOp(LearnableTreeFilter, inputs);
}
