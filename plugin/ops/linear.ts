/** Linear: a matrix product over the last axis with its bias and activation. */
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
  tidy,
} from '@tensorflow/tfjs-core';
import { Gelu, geluGradient, Silu, siluGradient } from './activations.js';
import { alreadyComputed, defineOp } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';

/** What is applied to the sums of a linear layer. */
export type Activation = 'none' | 'gelu' | 'silu';

/** `endOutput` when no column is left out at the end. */
const ALL = -1;

export const Linear = defineOp({
  name: 'Linear',
  doc:
    'activation(x @ weights + bias) over the last axis. A part of the outputs may be asked for, so that a projection ' +
    'whose parts go different ways needs no split.',
  inputs: {
    x: { dtype: 'float32', shape: ['...', 'I'], doc: 'activations, channels last' },
    weights: { dtype: 'float32', shape: ['I', 'O'], doc: 'the transpose of what PyTorch stores' },
    bias: { dtype: 'float32', shape: ['O'], optional: true, doc: 'may be left out' },
  },
  attributes: {
    activation: {
      type: 'string',
      graphName: 'activation',
      default: 'none',
      oneOf: ['none', 'gelu', 'silu'],
      doc: 'applied to the sums; gelu is the exact one',
    },
    firstOutput: {
      type: 'integer',
      graphName: 'first_output',
      default: 0,
      least: 0,
      most: 'O',
      doc: 'first of the columns of weights that are used',
    },
    endOutput: {
      type: 'integer',
      graphName: 'end_output',
      default: ALL,
      least: ALL,
      most: 'O',
      doc: 'column behind the last that is used; -1: all',
    },
  },
  derived: {
    U: ({ O }, attributes) => {
      const [first, end] = usedColumns(O, attributes);
      if (end >= first) return end - first;
      throw new OpError(
        'Linear',
        `firstOutput is ${first} and endOutput ${end}, expected an end behind the first`,
      );
    },
  },
  outputs: { y: { dtype: 'float32', shape: ['...', 'U'], doc: 'the columns that are used' } },
  compose: ({ x, weights, bias }, attributes) => {
    const rows = rowsOf(x);
    const [inputChannels, columns] = weights.shape as [number, number];
    const [first, end] = usedColumns(columns, attributes);
    // A part is cut out of the weights or of the sums, whichever are fewer: a token of a text has one row.
    const cutsWeights = rows.shape[0] >= inputChannels;
    const used = cutsWeights
      ? usedPart(weights as Tensor2D, bias as Tensor1D | undefined, attributes)
      : { weights: weights as Tensor2D, bias: bias as Tensor1D | undefined };
    const sums = fused.matMul({ a: rows, b: used.weights, bias: used.bias });
    const isPart = !cutsWeights && end - first < columns;
    const part = isPart ? slice(sums, [0, first], [-1, end - first]) : sums;
    const y = reshape(part, [...x.shape.slice(0, -1), end - first]);
    if (attributes.activation === 'none') return y;
    return runOp(attributes.activation === 'gelu' ? Gelu : Silu, { x: y });
  },
  gradient: {
    saves: ['x', 'weights', 'bias'],
    compute: ({ x, weights, bias }, [dy], attributes) =>
      alreadyComputed(gradients(x, weights as Tensor2D, bias as Tensor1D | undefined, dy, attributes)),
  },
});

/** [..., C] as [rows, C]. */
function rowsOf(x: Tensor): Tensor2D {
  const leading = x.shape.slice(0, -1);
  return reshape(x, [leading.reduce((product, extent) => product * extent, 1), x.shape[x.rank - 1]]);
}

/** The columns of weights that a call uses, from the first to the one behind the last. */
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

function usedPart(weights: Tensor2D, bias: Tensor1D | undefined, attributes: Columns) {
  const [rows, columns] = weights.shape;
  const [first, end] = usedColumns(columns, attributes);
  if (end - first === columns) return { weights, bias };
  return {
    weights: slice(weights, [0, first], [rows, end - first]),
    bias: bias && slice(bias, [first], [end - first]),
  };
}

/** Gradients in x, weights and, where there is one, bias, given that of the output. */
function gradients(
  x: Tensor,
  weights: Tensor2D,
  bias: Tensor1D | undefined,
  dy: Tensor,
  attributes: Columns & { readonly activation: Activation },
): Record<string, Tensor> {
  return tidy(() => {
    const used = usedPart(weights, bias, attributes);
    const rows = rowsOf(x);
    let dSums = rowsOf(dy);
    if (attributes.activation !== 'none') {
      const sums = fused.matMul({ a: rows, b: used.weights, bias: used.bias }) as Tensor2D;
      dSums = (attributes.activation === 'gelu' ? geluGradient : siluGradient)(sums, dSums);
    }
    const [first, end] = usedColumns(weights.shape[1], attributes);
    const beside: [number, number] = [first, weights.shape[1] - end]; // the other columns have no effect
    return {
      x: reshape(matMul(dSums, used.weights, false, true), x.shape),
      weights: pad(matMul(rows, dSums, true, false), [[0, 0], beside]),
      ...(bias && { bias: pad(sum(dSums, 0), [beside]) }),
    };
  });
}

/**
 * A linear layer over the last axis. Differentiable in x, weights and bias.
 * @param x [..., I] float32.
 * @param weights [I, O] float32.
 * @param bias [O] float32, or none.
 * @param options.activation applied to the sums: `none` (default), `gelu` (exact) or `silu`.
 * @param options.firstOutput and `endOutput`: only these columns of weights, from the first to the one behind the last.
 * @returns [..., O] float32, or fewer columns.
 * @throws {OpError} on wrong ranks, dtypes or sizes.
 */
export function linear(
  x: Tensor,
  weights: Tensor,
  bias?: Tensor,
  options: { activation?: Activation; firstOutput?: number; endOutput?: number } = {},
): Tensor {
  return runOp(Linear, { x, weights, bias }, { ...options })[0];
}
