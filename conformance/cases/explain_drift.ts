/**
 * Explains a difference of logits if the reference's trees are unknown: searches for trees that differ from the model's own only
 * by near ties and give the reference's logits. If such trees exist, the difference is a proven tie-flip; otherwise it is an
 * error.
 */

import { edgeWeights } from '../../plugin/ops/edge_dissimilarity.spec.js';
import {
  type BatchOfTrees,
  batchOfTrees,
  type RootedTree,
  rootTree,
} from '../../plugin/ops/spec/rooted_tree.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { NEAR_TIE } from '../bounds.js';
import type { CaseTensor } from '../case.js';
import { distance } from '../measure.js';
import { indicesOf } from './features_to_tree.js';
import type { Feeds } from './graph_under_test.js';
import { firstItems } from './model_inputs.js';
import { type ModelUnderTest, treeFeeds } from './model_under_test.js';
import { pairsOf } from './tree_cases.js';

/** Number of swaps tried in one batch, and maximum number of swaps per block. */
const MOST_TRIALS = 32;
const MOST_SWAPS = 6;

export interface Explanation {
  /** The remaining difference with the trees that explain it best. */
  readonly drift: number;
  readonly swaps: number;
}

/**
 * @param image [1, H, W, 3], normalised
 * @param expected its reference logits
 * @param enough the difference at which the search ends
 */
export async function explainDrift(
  model: ModelUnderTest,
  image: CaseTensor,
  expected: ArrayLike<number>,
  blocks: number,
  enough: number,
): Promise<Explanation> {
  const pinned: BatchOfTrees[] = [];
  let swaps = 0;
  let best = Number.POSITIVE_INFINITY;
  for (let block = 0; block < blocks; block++) {
    const weightsFrom = model.has(`blocks_${block}/x`) ? 'x' : 'edge_weights';
    const nodes = [weightsFrom, 'order', 'parent'].map((node) => `blocks_${block}/${node}`);
    const results = await model.run({ normalized: image, ...treeFeeds(pinned) }, ['logits', ...nodes]);
    const value = (node: string) => results.get(`blocks_${block}/${node}`) as CaseTensor;
    best = drift(results.get('logits')!.values, expected);
    const edges = model.edgesOf(block, image.shape);
    const known = value(weightsFrom);
    const weights =
      weightsFrom === 'x' ? edgeWeights(known.values, edges, known.shape[2], 'cosine') : known.values;
    const own = { order: value('order').values as Int32Array, parent: value('parent').values as Int32Array };
    let tree: RootedTree = own;
    for (let swap = 0; swap < MOST_SWAPS && best > enough; swap++) {
      const trials = nearTies(tree, weights, edges).slice(0, MOST_TRIALS);
      if (trials.length === 0) break;
      const drifts = await tryTrees(model, image, expected, pinned, trials);
      const lowest = drifts.indexOf(Math.min(...drifts));
      if (drifts[lowest] >= best) break;
      best = drifts[lowest];
      tree = trials[lowest];
      swaps++;
    }
    if (best <= enough) break;
    pinned.push(batchOfTrees([tree]));
  }
  return { drift: best, swaps };
}

function drift(given: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < expected.length; i++) most = Math.max(most, distance(given[i], expected[i]));
  return most;
}

/** The difference with each of several trees in the block after the pinned ones, in one batch. */
async function tryTrees(
  model: ModelUnderTest,
  image: CaseTensor,
  expected: ArrayLike<number>,
  pinned: readonly BatchOfTrees[],
  trials: readonly RootedTree[],
): Promise<number[]> {
  const count = trials.length;
  const repeated = (tensor: CaseTensor): CaseTensor => {
    const one = firstItems(tensor, 1);
    const { length } = one.values;
    const all = new (tensor.dtype === 'int32' ? Int32Array : Float32Array)(count * length);
    for (let i = 0; i < count; i++) all.set(one.values, i * length);
    return { ...one, shape: [count, ...tensor.shape.slice(1)], values: all } as CaseTensor;
  };
  const before = Object.entries(treeFeeds(pinned)).map(([name, value]) => [name, repeated(value)] as const);
  const trial = batchOfTrees(trials);
  const feeds: Feeds = {
    normalized: repeated(image),
    ...Object.fromEntries(before),
    [`blocks_${pinned.length}/order`]: trial.order,
    [`blocks_${pinned.length}/parent`]: trial.parent,
  };
  const results = await model.run(feeds, ['logits']);
  return itemsOf(results.get('logits') as CaseTensor).map((logits) => drift(logits, expected));
}

/** All trees that differ from the given one by swapping in an edge of nearly the same weight. */
function nearTies(tree: RootedTree, weights: ArrayLike<number>, edges: ArrayLike<number>): RootedTree[] {
  const { order, parent } = tree;
  const chosen = indicesOf(pairsOf(tree), edges);
  const inTree = new Set(chosen);
  const position = new Int32Array(order.length);
  for (const [i, vertex] of order.entries()) position[vertex] = i;
  const endsOf = (e: number) => [position[edges[2 * e]], position[edges[2 * e + 1]]];
  // By the position of the child, which comes after its parent.
  const edgeAbove = new Int32Array(order.length);
  for (const e of chosen) edgeAbove[Math.max(...endsOf(e))] = e;
  const found: RootedTree[] = [];
  for (let e = 0; e < weights.length; e++) {
    if (inTree.has(e)) continue;
    // Only without an edge of the path between the ends of e, the result is a tree.
    const path: number[] = [];
    for (let [i, j] = endsOf(e); i !== j; [i, j] = [Math.min(i, j), parent[Math.max(i, j)]]) {
      path.push(edgeAbove[Math.max(i, j)]);
    }
    for (const out of path.sort((a, b) => a - b)) {
      if (Math.abs(weights[out] - weights[e]) > NEAR_TIE) continue;
      const swapped = [...chosen.filter((each) => each !== out), e];
      const pairs = swapped.flatMap((each) => [edges[2 * each], edges[2 * each + 1]]);
      found.push(rootTree(pairs, order.length));
    }
  }
  return found;
}
