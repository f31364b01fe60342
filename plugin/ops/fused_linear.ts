/**
 * ResidualLinear and GatedLinear: linear layers fused with the ops that follow them. Graphs are written without them; where
 * a backend has kernels for them, models substitute them for the ops they replace (../models/fusion.ts).
 */
import { add } from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';
import { linear } from './linear.js';

const inputs = {
  x: { dtype: 'float32', shape: ['...', 'I'], doc: 'activations, channels last' },
  weights: { dtype: 'float32', shape: ['I', 'O'], doc: 'weights, transposed relative to PyTorch' },
} as const;
const bias = {
  dtype: 'float32',
  shape: ['O'],
  optional: true,
  doc: 'bias of each output channel; optional',
} as const;

export const ResidualLinear = defineOp({
  name: 'ResidualLinear',
  doc: 'residual + x @ weights + bias over the last axis: the end of a residual branch.',
  inputs: {
    ...inputs,
    residual: {
      dtype: 'float32',
      shape: ['...', 'O'],
      doc: 'values to which the output of the layer is added',
    },
    bias,
  },
  attributes: {},
  outputs: { y: { dtype: 'float32', shape: ['...', 'O'], doc: 'sum, same shape as residual' } },
  compose: ({ x, weights, bias, residual }) => add(residual, linear(x, weights, bias)),
});

export const GatedLinear = defineOp({
  name: 'GatedLinear',
  doc: 'The first half of the outputs of x @ weights + bias, and silu of the second half as a gate.',
  inputs: {
    ...inputs,
    weights: { ...inputs.weights, shape: ['I', 'P'] },
    bias: { ...bias, shape: ['P'] },
  },
  attributes: {},
  derived: { O: 'P/2' },
  outputs: {
    y: { dtype: 'float32', shape: ['...', 'O'], doc: 'first half of the outputs' },
    gate: { dtype: 'float32', shape: ['...', 'O'], doc: 'silu of the second half of the outputs' },
  },
  compose: ({ x, weights, bias }) => {
    const half = (weights.shape[1] as number) / 2;
    return [
      linear(x, weights, bias, { endOutput: half }),
      linear(x, weights, bias, { firstOutput: half, activation: 'silu' }),
    ];
  },
});
