/** Linear: a matrix product over the last axis with its bias and activation. */
import {
  customGrad,
  fused,
  type GradSaveFunc,
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
import { runKernelOf, runOp } from './kernels.js';
import { type Attributes, defineOp, OpError, showShape } from './op.js';

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
      graphName: 'activation',
      default: 'none',
      oneOf: ['none', 'gelu', 'silu'],
      doc: 'applied to the sums; gelu is the exact one',
    },
    firstOutput: {
      graphName: 'first_output',
      default: 0,
      doc: 'first of the columns of weights that are used',
    },
    endOutput: { graphName: 'end_output', default: ALL, doc: 'column behind the last that is used; -1: all' },
  },
  outputs: ['y'],
  infer: ({ x, weights, bias }, attributes) => {
    const [inputChannels, outputChannels] = weights;
    const [first, end] = usedColumns(outputChannels, attributes);
    if (![first, end].every(Number.isInteger) || first < 0 || end < first || end > outputChannels) {
      throw new OpError('Linear', `outputs ${first} to ${end} are asked for, weights have ${outputChannels}`);
    }
    if (x[x.length - 1] !== inputChannels) {
      throw new OpError(
        'Linear',
        `x has shape ${showShape(x)}, wanted ${inputChannels} channels as weights have rows`,
      );
    }
    if (bias && bias[0] !== outputChannels) {
      throw new OpError('Linear', `bias has shape ${showShape(bias)}, wanted [${outputChannels}]`);
    }
    return [{ shape: [...x.slice(0, -1), end - first], dtype: 'float32' }];
  },
  compose: ({ x, weights, bias }, attributes) => {
    const rows = rowsOf(x);
    const [inputChannels, columns] = (weights as Tensor2D).shape;
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
  run: (inputs, attributes) => {
    // customGrad, because a registered gradient cannot save an input that may be left out.
    const names = Object.keys(inputs);
    const layer = customGrad((...args: (Tensor | GradSaveFunc)[]) => {
      const save = args.pop() as GradSaveFunc;
      const tensors = args as Tensor[];
      const [value] = runKernelOf(
        Linear,
        Object.fromEntries(names.map((name, i) => [name, tensors[i]])),
        attributes,
      );
      save(tensors);
      return {
        value,
        gradFunc: (dy: Tensor, saved: Tensor[]) => gradients(saved, dy, attributes),
      };
    });
    return [layer(...Object.values(inputs))];
  },
});

/** [..., C] as [rows, C]. */
function rowsOf(x: Tensor): Tensor2D {
  const leading = x.shape.slice(0, -1);
  return reshape(x, [leading.reduce((product, extent) => product * extent, 1), x.shape[x.rank - 1]]);
}

/** The columns of weights that a call uses, from the first to the one behind the last. */
export function usedColumns(columns: number, attributes: Attributes): [first: number, end: number] {
  const end = attributes.endOutput as number;
  return [attributes.firstOutput as number, end === ALL ? columns : end];
}

function usedPart(weights: Tensor2D, bias: Tensor1D | undefined, attributes: Attributes) {
  const [rows, columns] = weights.shape;
  const [first, end] = usedColumns(columns, attributes);
  if (end - first === columns) return { weights, bias };
  return {
    weights: slice(weights, [0, first], [rows, end - first]),
    bias: bias && slice(bias, [first], [end - first]),
  };
}

/** Gradients in x, weights and, where there is one, bias, given that of the output. */
function gradients(saved: Tensor[], dy: Tensor, attributes: Attributes): Tensor[] {
  const [x, weights, bias] = saved as [Tensor, Tensor2D, Tensor1D | undefined];
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
    const inX = reshape(matMul(dSums, used.weights, false, true), x.shape);
    const inWeights = pad(matMul(rows, dSums, true, false), [[0, 0], beside]);
    return bias ? [inX, inWeights, pad(sum(dSums, 0), [beside])] : [inX, inWeights];
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
