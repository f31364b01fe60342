/** Whole models: with the reference's trees, which separates rounding from flips, and with their own. */

import type { ToleranceClass } from '../../plugin/backends.js';
import { edgeWeights } from '../../plugin/ops/edge_dissimilarity.spec.js';
import type { Bound } from '../../plugin/ops/spec/bound.js';
import { kruskal } from '../../plugin/ops/spec/kruskal.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { NotSupported } from '../backend.js';
import { flippedTreesBound, layerBound, pinnedModelBound, UNBOUNDED } from '../bounds.js';
import { type CaseTensor, type ProgramCase, programCase } from '../case.js';
import { certify } from '../certificate.js';
import type { Judgement } from '../judgement.js';
import { type Comparison, combine, comparisonOf, fail, judge, judgeTree, show } from '../verdict.js';
import { compareEdgeWeights } from './dense_input.js';
import { indicesOf, minimalTree } from './features_to_tree.js';
import type { Feeds } from './graph_under_test.js';
import type { BlockTrees } from './model_inputs.js';
import { type CheckpointUnderTest, type ModelUnderTest, treeFeeds } from './model_under_test.js';
import { pairsOf } from './tree_cases.js';

/** A node of the model and its value: `logits` [N, K], `pooled` [N, C], `features_<level>` [N, h, w, c]. */
export type ExpectedNode = readonly [node: string, value: CaseTensor];

export interface ModelSource {
  readonly name: string;
  readonly checkpoint: CheckpointUnderTest;
  /** [N, H, W, 3], normalised. */
  readonly input: CaseTensor;
  /** Logits first, if there are any. */
  readonly expected: readonly ExpectedNode[];
  readonly trees: BlockTrees;
  readonly problem?: string;
  /** Whether, according to the file, no tree of this input is near a tie: rounding then changes none. */
  readonly distinct?: boolean;
}

/** Everything that only rounding may change, within tight bounds; and the tree that each block would have chosen. */
export function pinnedTreesCase(source: ModelSource): ProgramCase {
  const { name, checkpoint, input, expected, trees, problem } = source;
  return programCase(name, 'GrootV, trees pinned', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      if (problem) return fail(problem);
      const { found, note } = comparable(model, expected);
      model.checkTrees(trees.trees, input.shape);
      const blocks = trees.trees.map((_, i) => weightNodes(model, i));
      const nodes = [...found.map(([node]) => node), ...blocks.flat()];
      const results = await model.run({ normalized: input, ...treeFeeds(trees.trees) }, nodes);
      const result = (node: string) => results.get(node) as CaseTensor;
      const comparisons = found.map(([node, expected]) =>
        comparisonOf(node, result(node), expected, pinnedBound(node, tolerance)),
      );
      const weights = compareEdgeWeights(trees, result, tolerance);
      return noted(combine([judge([...comparisons, ...weights]), ...blockJudgements(model, result)]), note);
    }),
  );

  /** Each block gets the reference's features up to rounding, so its tree may only differ by near ties. */
  function blockJudgements(model: ModelUnderTest, result: (node: string) => CaseTensor): Judgement[] {
    return trees.trees.flatMap(({ trees: expected }, i) => {
      const edges = model.edgesOf(i, input.shape);
      const given = itemsOf(result(`blocks_${i}/edge_weights`));
      return exactWeights(model, i, result, edges).map((exact, b) => {
        const numVertices = expected[b].order.length;
        const reference = indicesOf(pairsOf(expected[b]), edges);
        const what = `block ${i}, image ${b}`;
        const { margin } = certify(reference, exact, edges, numVertices);
        if (margin > REFERENCE_TIE) {
          return fail(
            `${what}: the reference's tree is ${show(margin)} over minimal, allowed ${REFERENCE_TIE}`,
          );
        }
        const own = kruskal(given[b], edges, numVertices);
        return judgeTree([...own], reference, exact, edges, numVertices, what);
      });
    });
  }
}

/**
 * The expected values for which the model has nodes: a backbone has no logits.
 * @throws {NotSupported} if there are none
 */
function comparable(
  model: ModelUnderTest,
  expected: readonly ExpectedNode[],
): { readonly found: readonly ExpectedNode[]; readonly note: string } {
  const found = expected.filter(([node]) => model.has(node));
  const missing = expected.filter(([node]) => !model.has(node)).map(([node]) => node);
  if (found.length === 0)
    throw new NotSupported(`the checkpoint gives a model without ${missing.join(', ')}`);
  return {
    found,
    note: missing.length > 0 ? `not compared, as the model has none: ${missing.join(', ')}` : '',
  };
}

/** Adds a note about what a passed case does not cover. */
function noted(judgement: Judgement, note: string): Judgement {
  return judgement.verdict === 'pass' && note !== '' ? { ...judgement, reason: note } : judgement;
}

export function pinnedBound(node: string, tolerance: ToleranceClass): Bound {
  return node === 'logits' ? pinnedModelBound(tolerance) : layerBound(tolerance);
}

/** The nodes needed to judge a block's tree: also the features, if a converted model has a node for them. */
function weightNodes(model: ModelUnderTest, block: number): string[] {
  return [`blocks_${block}/edge_weights`, `blocks_${block}/x`].filter((node) => model.has(node));
}

/** Weights of a block's edges, image by image: in float64 from its features, or else the model's own. */
export function exactWeights(
  model: ModelUnderTest,
  block: number,
  result: (node: string) => CaseTensor,
  edges: Int32Array,
): ArrayLike<number>[] {
  if (!model.has(`blocks_${block}/x`)) return itemsOf(result(`blocks_${block}/edge_weights`));
  const features = result(`blocks_${block}/x`);
  return itemsOf(features).map((row) => edgeWeights(row, edges, features.shape[2], 'cosine'));
}

/** How far the reference's tree may be from minimal by our features, which include the rounding of all previous blocks. */
const REFERENCE_TIE = 1e-5;

/**
 * The model as users run it. Trees must be the minimum of the model's own weights. Images whose trees all equal the reference's
 * are compared within rounding; the others within the effect of a flip, and by class. For a model without logits the other values
 * are compared.
 */
export function ownTreesCase(source: ModelSource & { readonly image?: CaseTensor }): ProgramCase {
  const { name, checkpoint, input, image, expected, trees, problem, distinct } = source;
  return programCase(name, 'GrootV, own trees', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      if (problem) return fail(problem);
      const { found } = comparable(model, expected);
      model.checkTrees(trees.trees, input.shape);
      const compared = found[0][0] === 'logits' ? found.slice(0, 1) : found;
      const feeds: Feeds = image ? { image } : { normalized: input };
      const nodes = compared.map(([node]) => node);
      const { given, items } = await runWithTrees(model, feeds, trees, nodes, compared[0][1].shape[0]);
      for (const [i, [node, { shape }]] of compared.entries()) {
        const own = given[i].shape;
        if (own.join() !== shape.join()) return fail(`${node} has shape [${own}], expected [${shape}]`);
      }
      return combine(
        items.flatMap((tree, b) => {
          if (tree.verdict === 'fail') return tree;
          // Without trees in the file, nothing distinguishes a flip from an error: the wider bound applies, unless flips are
          // impossible.
          const hasTrees = trees.trees.length > 0;
          const same = tree.verdict === 'pass' && (hasTrees || (distinct && tolerance === 'float32'));
          return compared.map(([node, expected], i) => {
            const drift = {
              tensor: `${node} of image ${b}`,
              given: itemsOf(given[i])[b],
              expected: itemsOf(expected)[b],
            };
            const bound = same ? pinnedBound(node, tolerance) : flippedTreesBound(model.channels);
            const judgement =
              same || !node.startsWith('features_')
                ? judge([{ ...drift, bound }])
                : judgeNorm({ ...drift, bound });
            if (node === 'logits' && !sameClass(drift.given, drift.expected, 2 * bound.absolute)) {
              return fail(`image ${b}: another class`);
            }
            if (judgement.verdict === 'fail' || tree.verdict === 'pass') return judgement;
            const reason = `${tree.reason}; ${node} drift by ${show(judgement.figures!.maxAbs)}`;
            return { ...judgement, ...tree, reason };
          });
        }),
      );
    }),
  );
}

/** Compares maps with different trees: a flip changes single pixels by any amount, so the bound applies to the norm over all. */
export function judgeNorm(comparison: Comparison): Judgement {
  const judgement = judge([{ ...comparison, bound: UNBOUNDED }]);
  const { normwise } = judgement.figures!;
  const { absolute } = comparison.bound;
  if (normwise <= absolute) return judgement;
  return fail(`${comparison.tensor}: off by ${show(normwise)} of its norm, allowed ${show(absolute)}`);
}

/** Runs a model with its own trees and judges, image by image, the trees against the weights and the reference. */
async function runWithTrees(
  model: ModelUnderTest,
  feeds: Feeds,
  reference: BlockTrees,
  values: readonly string[],
  batch: number,
): Promise<{ given: CaseTensor[]; items: Judgement[] }> {
  const imageShape = (feeds.normalized ?? feeds.image).shape;
  const blocks = reference.trees.map((_, i) => [
    ...weightNodes(model, i),
    `blocks_${i}/order`,
    `blocks_${i}/parent`,
  ]);
  const nodes = await model.run(feeds, [...values, ...blocks.flat()]);
  const result = (node: string) => nodes.get(node) as CaseTensor;
  const items: Judgement[] = Array.from({ length: batch }, () => ({ verdict: 'pass', reason: '' }));
  for (let i = 0; i < blocks.length; i++) {
    const edges = model.edgesOf(i, imageShape);
    const [weights, orders, parents] = ['edge_weights', 'order', 'parent'].map((node) =>
      itemsOf(result(`blocks_${i}/${node}`)),
    );
    const exact = exactWeights(model, i, result, edges);
    for (let b = 0; b < batch; b++) {
      const what = `block ${i}, image ${b}`;
      const own = minimalTree(orders[b], parents[b], weights[b], edges);
      if (!own) items[b] = fail(`${what}: its tree is not the minimum of its weights`);
      // After the first flip the features differ, and so may the later trees.
      if (!own || items[b].verdict !== 'pass') continue;
      const expected = indicesOf(pairsOf(reference.trees[i].trees[b]), edges);
      if (own.join() === expected.join()) continue;
      items[b] = judgeTree(own, expected, exact[b], edges, orders[b].length, what);
    }
  }
  return { given: values.map(result), items };
}

/** Whether the largest entry is the same, unless the expected one leads by less than `gap`. */
export function sameClass(given: ArrayLike<number>, expected: ArrayLike<number>, gap: number): boolean {
  const [best] = descending(given);
  const [first] = descending(expected);
  return best === first || expected[first] - expected[best] <= gap;
}

function descending(values: ArrayLike<number>): number[] {
  return Array.from(values, (_, i) => i).sort((a, b) => values[b] - values[a]);
}
