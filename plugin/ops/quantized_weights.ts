/**
 * 8-bit weights: integers from -127 to 127 (quantized_codes.ts packs them), times a scale per column.
 *
 * Kernels for them multiply integers: they quantise rows of the activations to 7 bits (../cpu/quantized_product.ts says
 * how). Other backends convert the weights to float32 once and run the float32 op.
 */

import { backend, type KernelBackend, keep, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { PerTensorCache } from '../kernels/per_tensor_cache.js';
import { sizeOf } from '../kernels/sizes.js';
import { float32, int32, optional } from './declare.js';
import { OpError } from './input_checks.js';
import { readFloats, readIds } from './kernels.js';
import { codesOf } from './quantized_codes.js';

/** Inputs that ops with quantised weights share, with one column per output. */
export const quantizedInputs = {
  codes: int32(
    ['K', 'O'],
    '8-bit weights: four consecutive ones of a column per int32, the first in the lowest byte; zero-padded',
  ),
  scales: float32(['O'], 'scale of each column of codes'),
  bias: optional(float32(['O'], 'bias of each output channel; optional')),
} as const;

const made = new WeakMap<KernelBackend, PerTensorCache<Tensor>>();

/**
 * Converts the weights to float32, in a shape whose last axis is the columns. The result is made once per pair of tensors
 * and kept as long as they exist.
 */
export function dequantized(op: string, codes: Tensor, scales: Tensor, shape: number[]): Tensor {
  const current = backend();
  let cache = made.get(current);
  if (!cache) {
    cache = new PerTensorCache(current, (weights) => weights.dispose());
    made.set(current, cache);
  }
  return cache.get([codes, scales], `float32 ${shape}`, () => {
    const columns = shape[shape.length - 1];
    const factors = readFloats(op, scales);
    const values = codesOf(readIds(op, codes), columns, sizeOf(shape));
    return keep(
      tensor(
        Float32Array.from(values, (code, i) => code * factors[i % columns]),
        shape,
        'float32',
      ),
    );
  });
}

/** A gradient that always throws, for ops with quantised weights. */
export function refusedGradient(op: string) {
  return {
    saves: [],
    compute: () => {
      throw new OpError(op, 'weights of 8 bits have no gradient: convert without --quantize int8 to train');
    },
  };
}
