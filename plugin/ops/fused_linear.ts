/**
 * ResidualLinear and GatedLinear: linear layers fused with the ops that follow them. Graphs are written without them; where
 * a backend has kernels for them, models substitute them for the ops they replace (../models/fusion.ts).
 */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import type { Activation } from './activations.js';
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

/** What layers with a residual have in common, whatever their weights are. */
export const residualInput = {
  dtype: 'float32',
  shape: ['...', 'O'],
  doc: 'values to which the output of the layer is added',
} as const;
export const residualOutputs = {
  y: { dtype: 'float32', shape: ['...', 'O'], doc: 'sum, same shape as residual' },
} as const;

/** What gated layers have in common. */
export const gatedOutputs = {
  y: { dtype: 'float32', shape: ['...', 'O'], doc: 'first half of the outputs' },
  gate: { dtype: 'float32', shape: ['...', 'O'], doc: 'silu of the second half of the outputs' },
} as const;

/** Computes a gated layer with the layer over a range of its columns. */
export function gatedHalves(
  columns: number,
  layer: (options: { activation?: Activation; firstOutput?: number; endOutput?: number }) => Tensor,
): Tensor[] {
  return [layer({ endOutput: columns / 2 }), layer({ firstOutput: columns / 2, activation: 'silu' })];
}

export const ResidualLinear = defineOp({
  name: 'ResidualLinear',
  doc: 'residual + x @ weights + bias over the last axis: the end of a residual branch.',
  inputs: {
    ...inputs,
    residual: residualInput,
    bias,
  },
  attributes: {},
  outputs: residualOutputs,
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
  outputs: gatedOutputs,
  compose: ({ x, weights, bias }) =>
    gatedHalves(weights.shape[1] as number, (options) => linear(x, weights, bias, options)),
});
