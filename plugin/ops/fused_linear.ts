/**
 * ResidualLinear and GatedLinear: linear layers fused with the ops that follow them. Graphs are written without them; where
 * a backend has kernels for them, models substitute them for the ops they replace (../models/fusion.ts).
 */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import type { Activation } from './activations.js';
import { defineOp, float32, optional } from './declare.js';
import { linear } from './linear.js';

const inputs = {
  x: float32(['...', 'I'], 'activations, channels last'),
  weights: float32(['I', 'O'], 'weights, transposed relative to PyTorch'),
} as const;
const bias = optional(float32(['O'], 'bias of each output channel; optional'));

/** What layers with a residual have in common, whatever their weights are. */
export const residualInput = float32(['...', 'O'], 'values to which the output of the layer is added');
export const residualOutputs = {
  y: float32(['...', 'O'], 'sum, same shape as residual'),
} as const;

/** What gated layers have in common. */
export const gatedOutputs = {
  y: float32(['...', 'O'], 'first half of the outputs'),
  gate: float32(['...', 'O'], 'silu of the second half of the outputs'),
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
