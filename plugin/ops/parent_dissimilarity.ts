/**
 * ParentDissimilarity: the dissimilarity of the features of each vertex and its parent for each group of channels, and
 * ParentDissimilarityGradient, its gradient in the features. Tree filters derive their decays from it.
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { type ScanTree, treeInputs } from './boruvka_mst.js';
import { defineOp, float32 } from './declare.js';
import { type Metric, metricAttribute } from './edge_dissimilarity.js';
import { checkTree } from './graph_checks.js';
import { runOp } from './kernels.js';

const inputs = {
  features: float32(['B', 'V', 'C'], 'features of each vertex'),
  ...treeInputs,
} as const;

/** Attributes of distances between features along a tree. */
export const distanceAttributes = {
  metric: metricAttribute,
  groups: {
    type: 'integer',
    default: 1,
    least: 1,
    letter: 'G',
    doc: 'number of groups of C/G consecutive channels; each has its own distance',
  },
} as const;

/** Channels per group. */
const derived = { P: 'C/G' } as const;

export const ParentDissimilarity = defineOp({
  name: 'ParentDissimilarity',
  doc: 'Dissimilarity between the features of each vertex and of its parent, per group of channels; 0 at the root.',
  inputs,
  attributes: distanceAttributes,
  derived,
  outputs: {
    distance: float32(['B', 'V', 'G'], 'dissimilarity to the parent by vertex id; smaller means more alike'),
  },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) => checkTree('ParentDissimilarity', order, parent, read),
  gradient: {
    saves: ['features', 'order', 'parent'],
    compute: ({ features, order, parent }, [dy], attributes) => ({
      features: () => runOp(ParentDissimilarityGradient, { features, order, parent, dy }, attributes)[0],
    }),
  },
});

export const ParentDissimilarityGradient = defineOp({
  name: 'ParentDissimilarityGradient',
  doc:
    'Gradient of ParentDissimilarity with respect to the features, given the gradient dy with respect to its output. ' +
    'The Manhattan gradient is 0 for equal features, the cosine gradient for features of norm 0.',
  inputs: {
    ...inputs,
    dy: float32(
      ['B', 'V', 'G'],
      'gradient with respect to the output of ParentDissimilarity; ignored at roots',
    ),
  },
  attributes: distanceAttributes,
  derived,
  outputs: { dfeatures: float32(['B', 'V', 'C'], 'gradient with respect to the features') },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) =>
    checkTree('ParentDissimilarityGradient', order, parent, read),
});

/**
 * Weights the edges of trees by the dissimilarity of the features at their ends. Differentiable in the features; no gradient
 * flows through the tree.
 *
 * @param features [B, V, C] float32 by vertex id, C divisible by `groups`.
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` with the same meaning.
 * @param options.metric `cosine` (default): -cos(f_v, f_p), each norm clamped from below at 1e-8 before dividing;
 *   `euclidean`: squared L2 distance; `manhattan`: L1 distance. The gradient of the cosine is 0 for features of norm 0, that
 *   of the L1 distance is 0 where both features are equal.
 * @param options.groups G, 1 by default: group g has the channels g*C/G to (g+1)*C/G - 1.
 * @returns [B, V, G] float32 by vertex id, between each vertex and its parent; 0 at the root. Smaller means more alike.
 * @throws {OpError} if a rank, dtype or size is wrong, `groups` does not divide C, or `order` and `parent` do not form a
 *   tree.
 */
export function parentDissimilarity(
  features: Tensor,
  tree: ScanTree,
  options: { metric?: Metric; groups?: number } = {},
): Tensor3D {
  const { order, parent } = tree ?? {}; // if they are missing, the input check reports it
  const { metric, groups } = options;
  return runOp(ParentDissimilarity, { features, order, parent }, { metric, groups })[0] as Tensor3D;
}
