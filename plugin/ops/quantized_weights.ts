/**
 * Weights of 8 bits: a whole number from -127 to 127 for each, times a scale for each column. tfjs has no tensors of
 * bytes; four numbers that follow one another in a column are the bytes of an int32, the first the lowest.
 *
 * Kernels for them multiply whole numbers: they make rows of 7 bits of the activations on the way
 * (../cpu/quantized_product.ts says how). Other backends make float32 weights once and run the op of these.
 */
import { backend, type KernelBackend, keep, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { PerTensorCache } from '../kernels/per_tensor_cache.js';
import { OpError } from './input_checks.js';
import { readFloats, readIds } from './kernels.js';

/** Numbers in an int32. */
const CODES = 4;

/** int32 of a column of so many weights. */
export const wordsOf = (terms: number) => Math.ceil(terms / CODES);

/** Inputs that ops of quantised weights have in common, a column for each of O outputs. */
export const quantizedInputs = {
  codes: {
    dtype: 'int32',
    shape: ['K', 'O'],
    doc: 'four weights of 8 bits a number, the last of a column filled with 0',
  },
  scales: { dtype: 'float32', shape: ['O'], doc: 'of the columns' },
  bias: { dtype: 'float32', shape: ['O'], optional: true, doc: 'may be left out' },
} as const;

const made = new WeakMap<KernelBackend, PerTensorCache<Tensor>>();

/**
 * The weights as float32, in a shape whose last axis is that of the columns: made once for each pair of tensors, and kept
 * as long as these.
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
    const values = codesOf(
      readIds(op, codes),
      columns,
      shape.reduce((product, extent) => product * extent, 1),
    );
    return keep(
      tensor(
        Float32Array.from(values, (code, i) => code * factors[i % columns]),
        shape,
        'float32',
      ),
    );
  });
}

/** The numbers one by one, row-major. @param size of all columns together */
export function codesOf(words: Int32Array, columns: number, size: number): Int8Array {
  const codes = new Int8Array(size);
  for (let i = 0; i < size; i++) {
    const row = Math.floor(i / columns);
    codes[i] = words[Math.floor(row / CODES) * columns + (i % columns)] >> (8 * (row % CODES));
  }
  return codes;
}

/** The inverse. @param codes [terms, columns] */
export function packedCodes(codes: ArrayLike<number>, columns: number): Int32Array {
  const terms = columns === 0 ? 0 : codes.length / columns;
  const words = new Int32Array(wordsOf(terms) * columns);
  for (let i = 0; i < codes.length; i++) {
    const row = Math.floor(i / columns);
    words[Math.floor(row / CODES) * columns + (i % columns)] |= (codes[i] & 0xff) << (8 * (row % CODES));
  }
  return words;
}

/** The gradient of an op over them. */
export function refusedGradient(op: string) {
  return {
    saves: [],
    compute: () => {
      throw new OpError(op, 'weights of 8 bits have no gradient: convert without --quantize int8 to train');
    },
  };
}
