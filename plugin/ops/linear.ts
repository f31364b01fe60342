/** Linear: a matrix product over the last axis, plus bias and activation. */

import {
  fused,
  matMul,
  pad,
  reshape,
  slice,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernels/sizes.js';
import { type Activation, activated, activationAttribute } from './activations.js';
import { defineOp, float32, optional } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';

/** Value of `endOutput` that selects all columns up to the last. */
const ALL = -1;

/** The attributes of ops that use a range of the columns of their weights. */
export const columnAttributes = {
  firstOutput: {
    type: 'integer',
    default: 0,
    least: 0,
    most: 'O',
    doc: 'start of the used column range of weights',
  },
  endOutput: {
    type: 'integer',
    default: ALL,
    least: ALL,
    most: 'O',
    doc: 'end of the used column range (exclusive); -1: through the last column',
  },
} as const;

export const Linear = defineOp({
  name: 'Linear',
  doc:
    'activation(x @ weights + bias) over the last axis. A range of the outputs can be selected, so that a projection ' +
    'whose parts are used separately needs no split.',
  inputs: {
    x: float32(['...', 'I'], 'activations, channels last'),
    weights: float32(['I', 'O'], 'weights, transposed relative to PyTorch'),
    bias: optional(float32(['O'], 'bias of each output channel; optional')),
  },
  attributes: {
    activation: activationAttribute,
    ...columnAttributes,
  },
  derived: {
    U: ({ O }, attributes) => usedCount(O, attributes),
  },
  outputs: { y: float32(['...', 'U'], 'outputs of the used columns') },
  compose: ({ x, weights, bias }, attributes) => {
    const rows = rowsOf(x);
    const [inputChannels, columns] = weights.shape as [number, number];
    const [first, end] = usedColumns(columns, attributes);
    // Slices the weights or the sums, whichever has fewer rows: a single token has one row.
    const cutsWeights = rows.shape[0] >= inputChannels;
    const used = cutsWeights
      ? usedPart(weights as Tensor2D, bias as Tensor1D | undefined, attributes)
      : { weights: weights as Tensor2D, bias: bias as Tensor1D | undefined };
    const sums = fused.matMul({ a: rows, b: used.weights, bias: used.bias });
    const isPart = !cutsWeights && end - first < columns;
    const part = isPart ? slice(sums, [0, first], [-1, end - first]) : sums;
    const y = reshape(part, [...x.shape.slice(0, -1), end - first]);
    return activated(y, attributes.activation);
  },
  // The gradient of an activation needs the sums.
  recorded: ({ x, weights, bias }, { activation, ...attributes }) => {
    if (activation === 'none') return undefined;
    const [sums] = runOp(Linear, { x, weights, bias }, attributes);
    return activated(sums, activation);
  },
  gradient: {
    saves: ['x', 'weights'],
    compute: ({ x, weights }, [dy], { activation, firstOutput, endOutput }) => {
      if (activation !== 'none') {
        throw new OpError(
          'Linear',
          `the activation is ${activation}: the kernel alone has no gradient, linear() has`,
        );
      }
      const attributes = { firstOutput, endOutput };
      return {
        x: () => runOp(LinearInputGradient, { dy, weights }, attributes)[0],
        weights: () =>
          runOp(LinearWeightGradient, { x, dy }, { columns: weights.shape[1], ...attributes })[0],
        bias: () => {
          const [sums] = runOp(RowSum, { x: dy });
          const beside = besideUsed(weights.shape[1] as number, attributes);
          return beside.some((count) => count > 0) ? pad(sums, [beside]) : sums;
        },
      };
    },
  },
});

const used = {
  U: ({ O, U }: Readonly<Record<string, number>>, attributes: Columns) => usedCount(O, attributes, U),
};
const gradientOfOutput = float32(['...', 'U'], 'gradient with respect to y');

export const LinearInputGradient = defineOp({
  name: 'LinearInputGradient',
  inner: true,
  doc: 'dx = dy @ transpose of the used columns of weights, for a linear layer without activation.',
  inputs: {
    dy: gradientOfOutput,
    weights: float32(['I', 'O'], 'weights of Linear'),
  },
  attributes: columnAttributes,
  derived: used,
  outputs: { dx: float32(['...', 'I'], 'gradient with respect to x') },
  compose: ({ dy, weights }, attributes) => {
    const [inputs, outputs] = weights.shape as [number, number];
    const [first, end] = usedColumns(outputs, attributes);
    const part = end - first === outputs ? weights : slice(weights, [0, first], [inputs, end - first]);
    return reshape(matMul(rowsOf(dy), part as Tensor2D, false, true), [...dy.shape.slice(0, -1), inputs]);
  },
});

export const LinearWeightGradient = defineOp({
  name: 'LinearWeightGradient',
  inner: true,
  doc: 'dweights = transpose of x @ dy, for a linear layer without activation; 0 in unused columns.',
  inputs: { x: float32(['...', 'I'], 'input x of Linear'), dy: gradientOfOutput },
  attributes: {
    columns: { type: 'integer', letter: 'O', least: 0, doc: 'number of columns of the weights' },
    ...columnAttributes,
  },
  derived: used,
  outputs: { dweights: float32(['I', 'O'], 'gradient with respect to the weights') },
  compose: ({ x, dy }, { columns, ...attributes }) =>
    pad(matMul(rowsOf(x), rowsOf(dy), true, false), [[0, 0], besideUsed(columns, attributes)]),
});

export const RowSum = defineOp({
  name: 'RowSum',
  inner: true,
  doc: 'The sum of all rows: the gradient of a bias.',
  inputs: { x: float32(['...', 'C'], 'rows to sum: all axes but the last') },
  attributes: {},
  outputs: { y: float32(['C'], 'sum of the rows') },
  compose: ({ x }) => sum(rowsOf(x), 0),
});

/** Reshapes [..., C] to [rows, C]. */
export function rowsOf(x: Tensor): Tensor2D {
  const leading = x.shape.slice(0, -1);
  return reshape(x, [sizeOf(leading), x.shape[x.rank - 1]]);
}

/** Returns the range of weight columns that a call uses; the end is exclusive. */
export function usedColumns(
  columns: number,
  { firstOutput, endOutput }: Columns,
): [first: number, end: number] {
  return [firstOutput, endOutput === ALL ? columns : endOutput];
}

interface Columns {
  readonly firstOutput: number;
  readonly endOutput: number;
}

/**
 * Returns the number of columns in that range.
 * @param given the number that another tensor has.
 */
export function usedCount(columns: number, attributes: Columns, given?: number): number {
  const [first, end] = usedColumns(columns, attributes);
  if (end < first) {
    throw new OpError(
      'Linear',
      `firstOutput is ${first} and endOutput ${end}, expected an end behind the first`,
    );
  }
  if (given !== undefined && given !== end - first) {
    throw new OpError('Linear', `the gradient has ${given} columns, expected those from ${first} to ${end}`);
  }
  return end - first;
}

/** Returns the number of columns before and after that range. */
function besideUsed(columns: number, attributes: Columns): [before: number, behind: number] {
  const [first, end] = usedColumns(columns, attributes);
  return [first, columns - end];
}

function usedPart(weights: Tensor2D, bias: Tensor1D | undefined, attributes: Columns) {
  const [rows, columns] = weights.shape;
  const [first, end] = usedColumns(columns, attributes);
  if (end - first === columns) return { weights, bias };
  return {
    weights: slice(weights, [0, first], [rows, end - first]),
    bias: bias && slice(bias, [first], [end - first]),
  };
}

/**
 * Applies a linear layer over the last axis. Differentiable in x, weights and bias.
 * @param x [..., I] float32.
 * @param weights [I, O] float32.
 * @param bias [O] float32; optional.
 * @param options.activation applied to the sums: `none` (default), `gelu` (exact) or `silu`.
 * @param options.firstOutput with `endOutput` (exclusive), the range of columns of `weights` to use; all by default.
 * @returns [..., O] float32, or fewer columns.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function linear(
  x: Tensor,
  weights: Tensor,
  bias?: Tensor,
  options: { activation?: Activation; firstOutput?: number; endOutput?: number } = {},
): Tensor {
  return runOp(Linear, { x, weights, bias }, { ...options })[0];
}
