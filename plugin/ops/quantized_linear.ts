/** QuantizedLinear: a linear layer with 8-bit weights. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Activation, activationAttribute } from './activations.js';
import { defineOp } from './declare.js';
import { runOp } from './kernels.js';
import { columnAttributes, linear, usedCount } from './linear.js';
import { dequantized, quantizedInputs, refusedGradient, wordsOf } from './quantized_weights.js';

export const QuantizedLinear = defineOp({
  name: 'QuantizedLinear',
  doc:
    'activation(x @ (codes * scales) + bias) over the last axis. cpu and wasm multiply integers and quantise each row ' +
    'of x to 7 bits; other backends convert the weights to float32 once.',
  inputs: {
    x: { dtype: 'float32', shape: ['...', 'I'], doc: 'activations, channels last' },
    ...quantizedInputs,
  },
  attributes: { activation: activationAttribute, ...columnAttributes },
  derived: {
    K: ({ I }) => wordsOf(I),
    U: ({ O }, attributes) => usedCount(O, attributes),
  },
  outputs: { y: { dtype: 'float32', shape: ['...', 'U'], doc: 'outputs of the used columns' } },
  compose: ({ x, codes, scales, bias }, attributes) => {
    const shape = [x.shape[x.rank - 1] as number, codes.shape[1] as number];
    const weights = dequantized('QuantizedLinear', codes, scales, shape);
    return linear(x, weights, bias, attributes);
  },
  gradient: refusedGradient('QuantizedLinear'),
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
