/** Seeded cases of the ops of the language model. */
import { type CaseTensor, type ConformanceCase, int32 } from '../case.js';
import {
  causalConvolution,
  rootMeanSquareNormalization,
  selectiveStep,
  tokenEmbedding,
  windowPairs,
} from '../oracles/language_ops.js';
import { type FormulaOp, formulaCases } from './formula_cases.js';
import { Random } from './random.js';
import { drawn, selectiveOps, sizeOf } from './selective.js';

export function languageCases(seed: number): ConformanceCase[] {
  const random = new Random(seed, 400);
  const ops = [
    ...normalizations(random),
    ...convolutions(random),
    ...steps(random),
    ...selectiveOps(random),
    ...embeddings(random),
  ];
  return [...ops.flatMap((op) => formulaCases(op, random)), ...windows()];
}

function normalizations(random: Random): FormulaOp[] {
  return [
    { channels: 1, epsilon: 1e-5, scale: 1 },
    { channels: 4, epsilon: 1e-6, scale: 3 },
    { channels: 7, epsilon: 1e-2, scale: 0.1 },
    { channels: 33, epsilon: 1e-5, scale: 1 },
    { channels: 67, epsilon: 1e-5, scale: 1e15 },
    { channels: 5, epsilon: 1e-5, scale: 1e-6 },
  ].map(({ channels, epsilon, scale }) => ({
    op: 'RootMeanSquareNormalization',
    what: `C = ${channels}, x about ${scale}`,
    attributes: { epsilon },
    inputs: {
      x: drawn(random, [2, 3, channels], () => scale * random.normal()),
      gamma: drawn(random, [channels]),
    },
    outputs: ['y'],
    outputShapes: [[2, 3, channels]],
    formula: ([x, gamma]) => [rootMeanSquareNormalization(x, gamma, epsilon)],
    // The steps of the differences are about 1e-3; and of one channel hardly anything but rounding is left.
    withoutGradient: scale < 0.1 || scale > 10 || channels === 1,
  }));
}

function convolutions(random: Random): FormulaOp[] {
  return [
    { batch: 1, length: 1, channels: 1, taps: 4 },
    { batch: 2, length: 2, channels: 5, taps: 4 },
    { batch: 2, length: 7, channels: 4, taps: 4 },
    { batch: 3, length: 5, channels: 9, taps: 2 },
    { batch: 1, length: 6, channels: 33, taps: 3 },
    { batch: 2, length: 4, channels: 3, taps: 1 },
  ].flatMap(({ batch, length, channels, taps }) =>
    [false, true].map((continued): FormulaOp => {
      const [shape, pastShape] = [
        [batch, length, channels],
        [batch, taps - 1, channels],
      ];
      return {
        op: 'CausalConvolution',
        what: `L = ${length}, D = ${channels}, K = ${taps}${continued ? ', continued' : ''}`,
        inputs: {
          x: drawn(random, shape),
          filter: drawn(random, [taps, channels]),
          bias: drawn(random, [channels]),
          ...(continued && { past: drawn(random, pastShape) }),
        },
        outputs: ['y', 'nextPast'],
        outputShapes: [shape, pastShape],
        formula: ([x, filter, bias, past]) => {
          const { y, nextPast } = causalConvolution(x, filter, bias, past, { batch, length, channels });
          return [y, nextPast];
        },
        differentiable: ['y'],
        withoutGradient: continued,
      };
    }),
  );
}

function steps(random: Random): FormulaOp[] {
  const step = (what: string, rawStep: CaseTensor): FormulaOp => {
    const { shape } = rawStep;
    const [, , channels] = shape;
    return {
      op: 'SelectiveStep',
      what: `D = ${channels}, ${what}`,
      inputs: { rawStep, stepBias: drawn(random, [channels]), x: drawn(random, shape) },
      outputs: ['step', 'drive'],
      outputShapes: [shape, shape],
      formula: ([rawStep, stepBias, x]) => {
        const { step, drive } = selectiveStep(rawStep, stepBias, x);
        return [step, drive];
      },
    };
  };
  return [
    ...[1, 3, 4, 9, 33].map((channels) => step('usual', drawn(random, [2, 3, channels]))),
    step('one token', drawn(random, [1, 1, 5])),
    // exp(100) is no float32, and log(1 + exp(-20)) is 0 where 1 + exp(-20) is rounded first.
    step(
      'large',
      drawn(random, [1, 3, 4], () => 100 + random.normal()),
    ),
    step(
      'small',
      drawn(random, [1, 3, 7], () => -20 + random.normal()),
    ),
  ];
}

function embeddings(random: Random): FormulaOp[] {
  return [
    { tokens: [1, 1], hidden: 1, vocabulary: 1 },
    { tokens: [2, 5], hidden: 3, vocabulary: 7 },
    { tokens: [3, 4], hidden: 9, vocabulary: 33 },
  ].map(({ tokens, hidden, vocabulary }) => {
    // Some tokens come twice: their gradients are summed.
    const ids = Array.from({ length: sizeOf(tokens) }, () => random.integer(0, vocabulary - 1));
    ids[ids.length - 1] = vocabulary - 1;
    return {
      op: 'TokenEmbedding',
      what: `${vocabulary} tokens, H = ${hidden}`,
      inputs: { tokens: int32(tokens, ids), table: drawn(random, [hidden, vocabulary]) },
      outputs: ['y'],
      outputShapes: [[...tokens, hidden]],
      formula: ([tokens, table]) => [tokenEmbedding(tokens, table, vocabulary)],
    };
  });
}

function windows(): ConformanceCase[] {
  return [
    [1, 0],
    [1, 1],
    [2, 2],
    [4, 3],
    [9, 2],
    [9, 5],
    [16, 16],
  ].map(([length, promptLength]) =>
    windowCase(
      `generated L = ${length}, P = ${promptLength}`,
      length,
      promptLength,
      windowPairs(length, promptLength),
      'definition',
    ),
  );
}

/** A case of WindowGraph: the edges of a text, by vertex and by token. */
export function windowCase(
  name: string,
  length: number,
  promptLength: number,
  pairs: ArrayLike<number>,
  from: string,
): ConformanceCase {
  const shape = [pairs.length / 2, 2];
  const byToken = Array.from(pairs, (vertex) => length - 1 - vertex);
  return {
    kind: 'op',
    name,
    op: 'WindowGraph',
    inputs: { tokens: int32([1, length], new Int32Array(length)), prompt: int32([], [promptLength]) },
    attributes: { promptLength },
    references: [
      { of: 'edges', from, tensor: int32(shape, pairs) },
      { of: 'tokenEdges', from, tensor: int32(shape, byToken) },
    ],
  };
}
