/** Linear: a matrix product over the last axis with its bias and activation. */
import {
  customGrad,
  fused,
  type GradSaveFunc,
  matMul,
  reshape,
  sum,
  type Tensor,
  type Tensor2D,
  tidy,
} from '@tensorflow/tfjs-core';
import { Gelu, geluGradient, Silu, siluGradient } from './activations.js';
import { runKernelOf, runOp } from './kernels.js';
import { defineOp, OpError, showShape } from './op.js';

/** What is applied to the sums of a linear layer. */
export type Activation = 'none' | 'gelu' | 'silu';

export const Linear = defineOp({
  name: 'Linear',
  doc: 'activation(x @ weights + bias) over the last axis.',
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
  },
  outputs: ['y'],
  infer: ({ x, weights, bias }) => {
    const [inputChannels, outputChannels] = weights;
    if (x[x.length - 1] !== inputChannels) {
      throw new OpError(
        'Linear',
        `x has shape ${showShape(x)}, wanted ${inputChannels} channels as weights have rows`,
      );
    }
    if (bias && bias[0] !== outputChannels) {
      throw new OpError('Linear', `bias has shape ${showShape(bias)}, wanted [${outputChannels}]`);
    }
    return [{ shape: [...x.slice(0, -1), outputChannels], dtype: 'float32' }];
  },
  compose: ({ x, weights, bias }, { activation }) => {
    const [inputChannels, outputChannels] = weights.shape;
    const rows: Tensor2D = reshape(x, [-1, inputChannels]);
    const sums = fused.matMul({ a: rows, b: weights as Tensor2D, bias });
    const y = reshape(sums, [...x.shape.slice(0, -1), outputChannels]);
    if (activation === 'none') return y;
    return runOp(activation === 'gelu' ? Gelu : Silu, { x: y });
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
        gradFunc: (dy: Tensor, saved: Tensor[]) => gradients(saved, dy, attributes.activation as Activation),
      };
    });
    return [layer(...Object.values(inputs))];
  },
});

/** Gradients in x, weights and, where there is one, bias, given that of the output. */
function gradients(saved: Tensor[], dy: Tensor, activation: Activation): Tensor[] {
  const [x, weights, bias] = saved as [Tensor, Tensor2D, Tensor | undefined];
  const [inputChannels, outputChannels] = weights.shape;
  return tidy(() => {
    const rows: Tensor2D = reshape(x, [-1, inputChannels]);
    let dSums: Tensor2D = reshape(dy, [-1, outputChannels]);
    if (activation !== 'none') {
      const sums = fused.matMul({ a: rows, b: weights, bias }) as Tensor2D;
      dSums = (activation === 'gelu' ? geluGradient : siluGradient)(sums, dSums);
    }
    const inX = reshape(matMul(dSums, weights, false, true), x.shape);
    const inWeights = matMul(rows, dSums, true, false);
    return bias ? [inX, inWeights, sum(dSums, 0)] : [inX, inWeights];
  });
}

/**
 * A linear layer over the last axis. Differentiable in x, weights and bias.
 * @param x [..., I] float32.
 * @param weights [I, O] float32.
 * @param bias [O] float32, or none.
 * @param options.activation applied to the sums: `none` (default), `gelu` (exact) or `silu`.
 * @returns [..., O] float32.
 * @throws {OpError} on wrong ranks, dtypes or sizes.
 */
export function linear(
  x: Tensor,
  weights: Tensor,
  bias?: Tensor,
  options: { activation?: Activation } = {},
): Tensor {
  return runOp(Linear, { x, weights, bias }, { activation: options.activation })[0];
}
