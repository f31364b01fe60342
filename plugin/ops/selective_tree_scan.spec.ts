import {
  describeScan,
  isTooLarge,
  SCAN_SIZES,
  type ScanSizes,
  type ScanValues,
  scanGradients,
  scanInputs,
  scanOf,
  scanSizesOf,
} from './selective_scan.spec.js';
import { SelectiveTreeScan } from './selective_tree_scan.js';
import { after, always, before, computing, firstItem, swapped } from './spec/faults.js';
import { kruskal } from './spec/kruskal.js';
import type { Random } from './spec/random.js';
import { batchOfTrees, type RootedTree, rootTree, treesOf } from './spec/rooted_tree.js';
import { defineSpec, type Fault, type FormulaArguments, type Values } from './spec/spec.js';
import { int32 } from './spec/tensor.js';
import { treeScan, treeScanGradient } from './spec/tree_scan.js';
import { windowPairs } from './window_graph.spec.js';

export const selectiveTreeScanSpec = defineSpec(SelectiveTreeScan, {
  formula: (args) => scanAlongTrees(args as FormulaArguments),
  gradient: (args, dy) => gradientsAlongTrees(args as FormulaArguments, dy),
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'two scans, and a sum of N products' },
  samples: (random) => {
    const sample = (sizes: ScanSizes, kind: keyof typeof TREES, treeWeight: number) => ({
      what: `${describeScan(sizes)}, ${kind} tree, weight ${treeWeight}`,
      inputs: { ...scanInputs(random, sizes), ...treeInputs(random, sizes, kind) },
      attributes: { treeWeight },
      withoutGradient: isTooLarge(sizes),
    });
    return [
      ...SCAN_SIZES.flatMap((sizes, i) => {
        const treeWeight = i % 2 === 0 ? 0.3 : 1.7;
        const kinds = i > 2 && sizes.batch > 0 ? (['chosen', 'star'] as const) : (['chosen'] as const);
        return kinds.map((kind) => sample(sizes, kind, treeWeight));
      }),
      sample({ batch: 2, length: 9, channels: 5, states: 3 }, 'half chosen', 0.4),
      sample({ batch: 1, length: 5, channels: 7, states: 1 }, 'depth-first', 0.4),
      sample({ batch: 1, length: 40, channels: 9, states: 16 }, 'half chosen', 0.4),
    ];
  },
  faults: {
    'the tree counts as much as the chain': always({ treeWeight: 1 }),
    'the tree is left out': always({ treeWeight: 0 }),
    'the tree is always the chain': withTrees((_, length) => ({
      order: Int32Array.from({ length }, (_, v) => v),
      parent: Int32Array.from({ length }, (_, v) => Math.max(0, v - 1)),
    })),
    'every item of a batch has the first one’s tree': firstItem('order', 'parent'),
    'parents are vertex ids, not positions': withTrees(({ order, parent }) => ({
      order,
      parent: parent.map((at) => order.indexOf(at)),
    })),
    'an edge carries the decay of its own token': computing((args) => {
      const { channels, length } = scanSizesOf(args.shapes);
      const { step } = args.inputs;
      // The edge of a token must use the step of the next token; here it uses its own.
      const isFirst = (i: number) => Math.floor(i / channels) % length === 0;
      return scanAlongTrees(
        args,
        step.map((value, i) => (isFirst(i) ? value : step[i - channels])),
      );
    }),
    'vertices are tokens in the order of the text': withTrees(({ order, parent }, length) => ({
      order: order.map((v) => length - 1 - v),
      parent,
    })),
    'the next state is the chain’s': after(({ inputs, shapes, outputs: { nextState } }) => {
      nextState.set(scanOf(inputs as unknown as ScanValues, scanSizesOf(shapes)).nextState);
    }),
    'the gates are swapped': swapped('inputGate', 'outputGate'),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const sizes = { batch: 1, length: side * side, channels, states: 16 };
      return { inputs: { ...scanInputs(random, sizes), ...treeInputs(random, sizes, 'chosen') } };
    },
  },
});

/** Trees over tokens in reversed time, rooted at the last one. */
const TREES = {
  chosen: (length: number, random: Random) => chosenTree(length, length, random),
  /** Half of the text is the prompt. */
  'half chosen': (length: number, random: Random) => chosenTree(length, length >> 1, random),
  star: (length: number) => rootTree(Array.from({ length: length - 1 }, (_, i) => [0, i + 1]).flat(), length),
  /** Five tokens: siblings are not adjacent. */
  'depth-first': (): RootedTree => ({
    order: Int32Array.of(0, 1, 2, 4, 3),
    parent: Int32Array.of(0, 0, 1, 2, 0),
  }),
};

function chosenTree(length: number, promptLength: number, random: Random): RootedTree {
  const pairs = windowPairs(length, promptLength);
  const weights = random.floats(pairs.length / 2, () => random.normal());
  const chosen = Array.from(kruskal(weights, pairs, length));
  return rootTree(
    chosen.flatMap((e) => [pairs[2 * e], pairs[2 * e + 1]]),
    length,
  );
}

function treeInputs(random: Random, { batch, length }: ScanSizes, kind: keyof typeof TREES) {
  if (batch === 0) return { order: int32([0, length], []), parent: int32([0, length], []) };
  const { order, parent } = batchOfTrees(Array.from({ length: batch }, () => TREES[kind](length, random)));
  return { order, parent };
}

/**
 * The scan along the text plus treeWeight times the subtree sums.
 * @param edgeStep the steps that determine the decays of the tree's edges.
 */
function scanAlongTrees(
  { inputs, shapes, attributes }: FormulaArguments,
  edgeStep: Values = inputs.step,
): { y: Float64Array; nextState: Float64Array } {
  const sizes = scanSizesOf(shapes);
  const { length, channels, states } = sizes;
  const { outputGate } = inputs;
  const treeWeight = attributes.treeWeight as number;
  const width = channels * states;
  const result = scanOf(inputs as unknown as ScanValues, sizes);
  for (const [b, tree] of treesOf(inputs as { order: Values; parent: Values }, shapes.order).entries()) {
    const first = b * length;
    const tokenOf = (vertex: number) => first + length - 1 - vertex;
    const { x, decay } = treeValues(inputs as unknown as ScanValues, sizes, tokenOf, edgeStep);
    const sums = treeScan(x, decay, tree, width, 'root');
    for (let i = 0; i < sums.length; i++) {
      const [t, at] = [tokenOf(Math.floor(i / width)), i % width];
      const sum = treeWeight * sums[i];
      result.y[t * channels + Math.floor(at / states)] += sum * outputGate[t * states + (at % states)];
      if (i < width) result.nextState[b * width + at] += sum;
    }
  }
  return result;
}

/** What a tree scan sums, and the decays of its edges, by vertex, channel and state. */
function treeValues(
  { step, deltaU, logA, inputGate }: ScanValues,
  { length, channels, states }: ScanSizes,
  tokenOf: (vertex: number) => number,
  edgeStep: Values = step,
): { x: Float64Array; decay: Float64Array } {
  const ofStates = (value: (vertex: number, d: number, n: number) => number) => {
    const values = new Float64Array(length * channels * states);
    let i = 0;
    for (let v = 0; v < length; v++) {
      for (let d = 0; d < channels; d++) for (let n = 0; n < states; n++) values[i++] = value(v, d, n);
    }
    return values;
  };
  const x = ofStates((v, d, n) => deltaU[tokenOf(v) * channels + d] * inputGate[tokenOf(v) * states + n]);
  // The edge from a vertex to its parent carries the decay of the following token; the root has none.
  const decay = ofStates((v, d, n) =>
    v === 0 ? 0 : Math.exp(-Math.exp(logA[d * states + n]) * edgeStep[(tokenOf(v) + 1) * channels + d]),
  );
  return { x, decay };
}

/** The gradients of the sum of dy * output of {@link scanAlongTrees}, by input. */
function gradientsAlongTrees(
  { inputs, shapes, attributes }: FormulaArguments,
  dy: { readonly y: Values; readonly nextState: Values },
) {
  const sizes = scanSizesOf(shapes);
  const { length, channels, states } = sizes;
  const values = inputs as unknown as ScanValues;
  const { step, deltaU, logA, inputGate, outputGate } = values;
  const treeWeight = attributes.treeWeight as number;
  const width = channels * states;
  const { state: _, ...gradients } = scanGradients(values, sizes, dy);
  for (const [b, tree] of treesOf(inputs as { order: Values; parent: Values }, shapes.order).entries()) {
    const tokenOf = (vertex: number) => (b + 1) * length - 1 - vertex;
    const { x, decay } = treeValues(values, sizes, tokenOf);
    const sums = treeScan(x, decay, tree, width, 'root');
    const dsums = new Float64Array(sums.length);
    const indices = (i: number) => {
      const [t, at] = [tokenOf(Math.floor(i / width)), i % width];
      return { t, at, d: t * channels + Math.floor(at / states), n: t * states + (at % states) };
    };
    for (let i = 0; i < sums.length; i++) {
      const { at, d, n } = indices(i);
      const dstate = i < width ? dy.nextState[b * width + at] : 0;
      dsums[i] = treeWeight * (dy.y[d] * outputGate[n] + dstate);
      gradients.outputGate[n] += treeWeight * sums[i] * dy.y[d];
    }
    const { dx, ddecay } = treeScanGradient(x, decay, dsums, tree, width, 'root');
    for (let i = 0; i < sums.length; i++) {
      const { at, d, n } = indices(i);
      gradients.deltaU[d] += dx[i] * inputGate[n];
      gradients.inputGate[n] += dx[i] * deltaU[d];
      if (i < width) continue; // the root has no edge
      const next = d + channels; // of the following token
      const dexponent = -Math.exp(logA[at]) * ddecay[i] * decay[i];
      gradients.step[next] += dexponent;
      gradients.logA[at] += dexponent * step[next];
    }
  }
  return gradients;
}

/** A fault: replaces the given trees. */
function withTrees(change: (tree: RootedTree, length: number) => RootedTree): Fault {
  return before(({ inputs, shapes }) => {
    const trees = treesOf(inputs as unknown as { order: Values; parent: Values }, shapes.order);
    const changed = trees.map((tree) => change(tree, shapes.order[1]));
    const flatten = (part: 'order' | 'parent') =>
      Int32Array.from(changed.flatMap((tree) => Array.from(tree[part])));
    return { inputs: { ...inputs, order: flatten('order'), parent: flatten('parent') } };
  });
}
