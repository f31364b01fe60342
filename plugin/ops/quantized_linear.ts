/**
 * QuantizedLinear, QuantizedResidualLinear and QuantizedGatedLinear: linear layers with 8-bit weights. The latter two replace
 * it where a backend has kernels for them, as ResidualLinear and GatedLinear do for float32 weights.
 */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import { type Activation, activationAttribute } from './activations.js';
import { defineOp, float32 } from './declare.js';
import { gatedHalves, gatedOutputs, residualInput, residualOutputs } from './fused_linear.js';
import { runOp } from './kernels.js';
import { columnAttributes, linear, usedCount } from './linear.js';
import { wordsOf } from './quantized_codes.js';
import { dequantized, quantizedInputs, refusedGradient } from './quantized_weights.js';

const x = float32(['...', 'I'], 'activations, channels last');
const derived = { K: ({ I }: Readonly<Record<string, number>>) => wordsOf(I) };

export const QuantizedLinear = defineOp({
  name: 'QuantizedLinear',
  doc:
    'activation(x @ (codes * scales) + bias) over the last axis. cpu and wasm multiply integers and quantise each row ' +
    'of x to 7 bits; other backends convert the weights to float32 once.',
  inputs: { x, ...quantizedInputs },
  attributes: { activation: activationAttribute, ...columnAttributes },
  derived: { ...derived, U: ({ O }, attributes) => usedCount(O, attributes) },
  outputs: { y: float32(['...', 'U'], 'outputs of the used columns') },
  compose: ({ x, codes, scales, bias }, attributes) => {
    const shape = [x.shape[x.rank - 1] as number, codes.shape[1] as number];
    const weights = dequantized('QuantizedLinear', codes, scales, shape);
    return linear(x, weights, bias, attributes);
  },
  gradient: refusedGradient('QuantizedLinear'),
});

const { bias, ...weights } = quantizedInputs;

export const QuantizedResidualLinear = defineOp({
  name: 'QuantizedResidualLinear',
  doc: 'residual + x @ (codes * scales) + bias over the last axis: the end of a residual branch.',
  inputs: {
    ...{ x, ...weights },
    residual: residualInput,
    bias,
  },
  attributes: {},
  derived,
  outputs: residualOutputs,
  compose: ({ x, codes, scales, bias, residual }) => add(residual, quantizedLinear(x, codes, scales, bias)),
  gradient: refusedGradient('QuantizedResidualLinear'),
});

export const QuantizedGatedLinear = defineOp({
  name: 'QuantizedGatedLinear',
  doc: 'The first half of the outputs of x @ (codes * scales) + bias, and silu of the second half as a gate.',
  inputs: {
    x,
    codes: { ...weights.codes, shape: ['K', 'P'] },
    scales: { ...weights.scales, shape: ['P'] },
    bias: { ...bias, shape: ['P'] },
  },
  attributes: {},
  derived: { ...derived, O: 'P/2' },
  outputs: gatedOutputs,
  compose: ({ x, codes, scales, bias }) =>
    gatedHalves(codes.shape[1] as number, (options) => quantizedLinear(x, codes, scales, bias, options)),
  gradient: refusedGradient('QuantizedGatedLinear'),
});

/**
 * Applies a linear layer with 8-bit weights over the last axis. Not differentiable.
 * @param x [..., I] float32.
 * @param codes [ceil(I / 4), O] int32: each packs four consecutive weights of a column, from -127 to 127, the first in the
 *   lowest byte; 0 past the last weight.
 * @param scales [O] float32: the weight that code 1 represents, per column.
 * @param bias [O] float32; optional.
 * @param options as for `linear`.
 * @returns [..., O] float32, or fewer columns.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function quantizedLinear(
  x: Tensor,
  codes: Tensor,
  scales: Tensor,
  bias?: Tensor,
  options: { activation?: Activation; firstOutput?: number; endOutput?: number } = {},
): Tensor {
  return runOp(QuantizedLinear, { x, codes, scales, bias }, { ...options })[0];
}
