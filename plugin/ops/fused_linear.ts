/**
 * ResidualLinear and GatedLinear: linear layers fused with the ops that follow them. Graphs are written without them; where
 * a backend has kernels for them, models substitute them for the ops they replace (../models/fusion.ts).
 */
import { add } from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';
import { linear } from './linear.js';

const inputs = {
  x: { dtype: 'float32', shape: ['...', 'I'], doc: 'activations, channels last' },
  weights: { dtype: 'float32', shape: ['I', 'O'], doc: 'the transpose of what PyTorch stores' },
} as const;
const bias = { dtype: 'float32', shape: ['O'], optional: true, doc: 'may be left out' } as const;

export const ResidualLinear = defineOp({
  name: 'ResidualLinear',
  doc: 'residual + x @ weights + bias over the last axis: what a branch of a block adds.',
  inputs: {
    ...inputs,
    residual: { dtype: 'float32', shape: ['...', 'O'], doc: 'what goes past the branch' },
    bias,
  },
  attributes: {},
  outputs: { y: { dtype: 'float32', shape: ['...', 'O'], doc: 'of the shape of residual' } },
  compose: ({ x, weights, bias, residual }) => add(residual, linear(x, weights, bias)),
});

export const GatedLinear = defineOp({
  name: 'GatedLinear',
  doc: 'The first half of the outputs of x @ weights + bias, and silu of the second, which is a gate.',
  inputs: {
    ...inputs,
    weights: { ...inputs.weights, shape: ['I', 'P'] },
    bias: { ...bias, shape: ['P'] },
  },
  attributes: {},
  derived: { O: 'P/2' },
  outputs: {
    y: { dtype: 'float32', shape: ['...', 'O'], doc: 'the first half' },
    gate: { dtype: 'float32', shape: ['...', 'O'], doc: 'silu of the second half' },
  },
  compose: ({ x, weights, bias }) => {
    const half = (weights.shape[1] as number) / 2;
    return [
      linear(x, weights, bias, { endOutput: half }),
      linear(x, weights, bias, { firstOutput: half, activation: 'silu' }),
    ];
  },
});
