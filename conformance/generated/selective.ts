/** Seeded cases of selective scans: one token, one state, and sizes around the widths of registers. */
import { type CaseTensor, float32 } from '../case.js';
import { batchOfTrees } from '../cases/tree_cases.js';
import { kruskal } from '../oracles/kruskal.js';
import {
  type SelectiveSizes,
  selectiveLayer,
  selectiveScan,
  selectiveTreeScan,
  windowPairs,
} from '../oracles/language_ops.js';
import { type RootedTree, rootTree } from '../oracles/rooted_tree.js';
import type { FormulaOp } from './formula_cases.js';
import type { Random } from './random.js';

export function selectiveOps(random: Random): FormulaOp[] {
  return [...scans(random), ...treeScans(random), ...layers(random)];
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A tensor of numbers that are drawn, normal ones by default. */
export function drawn(random: Random, shape: readonly number[], draw = () => random.normal()): CaseTensor {
  return float32(shape, random.floats(sizeOf(shape), draw));
}

/** L = 1, N = 1 and 16, channels around the widths of registers. */
const SCANS: readonly SelectiveSizes[] = [
  { batch: 1, length: 1, channels: 1, states: 1 },
  { batch: 2, length: 1, channels: 5, states: 16 },
  { batch: 2, length: 2, channels: 4, states: 1 },
  { batch: 1, length: 9, channels: 3, states: 16 },
  { batch: 3, length: 5, channels: 9, states: 3 },
  { batch: 1, length: 33, channels: 17, states: 4 },
];

/** Beyond this length differences take seconds: the gradients of long scans are those of TreeScan. */
const LONG = 20;

function selectiveInputs(random: Random, { batch, length, channels, states }: SelectiveSizes) {
  const tokens = [batch, length];
  return {
    // Steps as a softplus gives them, decays from almost 0 to almost 1.
    step: drawn(random, [...tokens, channels], () => Math.exp(random.normal() - 1)),
    drive: drawn(random, [...tokens, channels]),
    logA: drawn(random, [channels, states]),
    inputGate: drawn(random, [...tokens, states]),
    outputGate: drawn(random, [...tokens, states]),
  };
}

const SCAN_INPUTS = ['step', 'drive', 'logA', 'inputGate', 'outputGate'] as const;

/** The first five inputs of a scan by name. */
function named(values: readonly ArrayLike<number>[]) {
  return Object.fromEntries(SCAN_INPUTS.map((name, i) => [name, values[i]])) as Record<
    (typeof SCAN_INPUTS)[number],
    ArrayLike<number>
  >;
}

function describe({ batch, length, channels, states }: SelectiveSizes): string {
  return `B = ${batch}, L = ${length}, D = ${channels}, N = ${states}`;
}

function scanShapes({ batch, length, channels, states }: SelectiveSizes): number[][] {
  return [
    [batch, length, channels],
    [batch, channels, states],
  ];
}

function scans(random: Random): FormulaOp[] {
  return SCANS.flatMap((sizes) =>
    [
      { inputScale: 1, continued: false },
      { inputScale: 1.3, continued: false },
      { inputScale: 1.3, continued: true },
    ].map(({ inputScale, continued }): FormulaOp => {
      const [y, state] = scanShapes(sizes);
      return {
        op: 'SelectiveScan',
        what: `${describe(sizes)}, scale ${inputScale}${continued ? ', continued' : ''}`,
        attributes: { inputScale },
        inputs: {
          ...selectiveInputs(random, sizes),
          ...(continued && { state: drawn(random, state) }),
        },
        outputs: ['y', 'nextState'],
        outputShapes: [y, state],
        formula: (values) => {
          const result = selectiveScan(named(values), sizes, { state: values[5], inputScale });
          return [result.y, result.nextState];
        },
        withoutGradient: continued || sizes.length > LONG,
      };
    }),
  );
}

/** Trees over tokens in reversed time, rooted at the last one. */
const TREES: Readonly<Record<string, (length: number, random: Random) => RootedTree>> = {
  chosen: (length, random) => {
    const pairs = windowPairs(length, length);
    const weights = random.floats(pairs.length / 2, () => random.normal());
    const chosen = [...kruskal(weights, pairs, length)];
    return rootTree(
      chosen.flatMap((e) => [pairs[2 * e], pairs[2 * e + 1]]),
      length,
    );
  },
  star: (length) => rootTree(Array.from({ length: length - 1 }, (_, i) => [0, i + 1]).flat(), length),
};

function treeScans(random: Random): FormulaOp[] {
  return SCANS.flatMap((sizes, i) =>
    ['chosen', ...(i > 2 ? ['star'] : [])].map((kind): FormulaOp => {
      const trees = Array.from({ length: sizes.batch }, () => TREES[kind](sizes.length, random));
      const { order, parent } = batchOfTrees(trees);
      const treeWeight = i % 2 === 0 ? 0.3 : 1.7;
      return {
        op: 'SelectiveTreeScan',
        what: `${describe(sizes)}, ${kind} tree, weight ${treeWeight}`,
        attributes: { treeWeight },
        inputs: { ...selectiveInputs(random, sizes), order, parent },
        outputs: ['y', 'nextState'],
        outputShapes: scanShapes(sizes),
        formula: (values) => {
          const { y, nextState } = selectiveTreeScan(named(values), sizes, trees, treeWeight);
          return [y, nextState];
        },
        withoutGradient: sizes.length > LONG,
      };
    }),
  );
}

function layers(random: Random): FormulaOp[] {
  return [
    { batch: 1, length: 1, hidden: 4, channels: 8, states: 16, rank: 1, taps: 4, biases: false },
    { batch: 2, length: 1, hidden: 5, channels: 9, states: 3, rank: 2, taps: 4, biases: true },
    { batch: 2, length: 6, hidden: 9, channels: 17, states: 1, rank: 3, taps: 2, biases: false },
  ].map(({ hidden, rank, taps, biases, ...sizes }): FormulaOp => {
    const { batch, length, channels, states } = sizes;
    const [y, nextState] = scanShapes({ ...sizes });
    y[2] = hidden;
    const nextPast = [batch, taps - 1, channels];
    const matrix = (rows: number, columns: number) =>
      drawn(random, [rows, columns], () => random.normal() / Math.sqrt(rows));
    const attributes = { epsilon: 1e-3, inputScale: 1.3 };
    const inputs = {
      x: drawn(random, [batch, length, hidden]),
      state: drawn(random, nextState),
      past: drawn(random, nextPast),
      gamma: drawn(random, [hidden]),
      inputProjection: matrix(hidden, 2 * channels),
      filter: drawn(random, [taps, channels]),
      filterBias: drawn(random, [channels]),
      selection: matrix(channels, rank + 2 * states),
      stepProjection: matrix(rank, channels),
      stepBias: drawn(random, [channels]),
      logA: drawn(random, [channels, states]),
      skip: drawn(random, [channels]),
      outputProjection: matrix(channels, hidden),
      ...(biases && { inputBias: drawn(random, [2 * channels]), outputBias: drawn(random, [hidden]) }),
    };
    const names = Object.keys(inputs);
    return {
      op: 'SelectiveLayer',
      what: `${describe(sizes)}, H = ${hidden}${biases ? ', biases' : ''}`,
      attributes,
      inputs,
      outputs: ['y', 'nextState', 'nextPast'],
      outputShapes: [y, nextState, nextPast],
      formula: (values) => {
        const named = Object.fromEntries(names.map((name, i) => [name, values[i]]));
        const layer = selectiveLayer(named, sizes, attributes);
        return [layer.y, layer.nextState, layer.nextPast];
      },
      withoutGradient: true,
    };
  });
}
