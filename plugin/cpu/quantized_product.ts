/**
 * QuantizedLinear and QuantizedConvolution in plain TypeScript. A row of activations is represented as s * (q - z): q are
 * integers from 0 to 127, and z represents 0. Products with the integer weights are summed exactly, so that the order of
 * summation does not matter: kernels that take the same float32 steps give the same bits, before the activation.
 */

import { registerHostKernel } from '../ops/kernels.js';
import { usedColumns } from '../ops/linear.js';
import { codesOf } from '../ops/quantized_codes.js';
import { QuantizedConvolution } from '../ops/quantized_convolution.js';
import { QuantizedLinear } from '../ops/quantized_linear.js';
import { roundHalfEven } from '../rounding.js';
import { ACTIVATIONS } from './activations.js';

/** The largest q: 7 bits, for which products of bytes are the same on every machine. */
export const LARGEST = 127;

const { fround } = Math;

/** Quantises a row: returns q - z, and the scale s; s is NaN if the row has values that are not finite. */
export function quantizedRow(row: Float32Array): { centred: Int16Array; scale: number } {
  let [low, high] = [0, 0];
  for (const value of row) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = fround(high - low);
  const inverse = fround(LARGEST / range);
  const centred = new Int16Array(row.length);
  if (inverse === Number.POSITIVE_INFINITY) return { centred, scale: 0 }; // only zeros, or nearly so
  const zero = roundHalfEven(fround(-low * inverse));
  for (let i = 0; i < row.length; i++) {
    centred[i] = Math.min(roundHalfEven(fround(row[i] * inverse)) + zero, LARGEST) - zero;
  }
  return { centred, scale: fround(range / LARGEST) };
}

interface Weights {
  /** [terms, columns] */
  readonly codes: Int8Array;
  readonly scales: ArrayLike<number>;
  readonly bias: ArrayLike<number> | undefined;
  readonly columns: number;
}

/** Computes the output columns from `first` to `end` (exclusive) of one row. */
function product(
  row: Float32Array,
  { codes, scales, bias, columns }: Weights,
  [first, end]: readonly [number, number],
  y: { [index: number]: number },
  at: number,
  activation: keyof typeof ACTIVATIONS,
): void {
  const { centred, scale } = quantizedRow(row);
  // In the order in which the codes are stored; the sums are of integers, exact in any order.
  const sums = new Float64Array(end - first);
  for (let k = 0; k < row.length; k++) {
    const factor = centred[k];
    if (factor === 0) continue;
    const from = k * columns + first;
    for (let i = 0; i < sums.length; i++) sums[i] += factor * codes[from + i];
  }
  const activate = ACTIVATIONS[activation];
  for (let i = 0; i < sums.length; i++) {
    const o = first + i;
    const value = fround(fround(fround(sums[i]) * fround(scale * scales[o])) + (bias ? bias[o] : 0));
    y[at + i] = activate(value);
  }
}

registerHostKernel(QuantizedLinear, ({ inputs, outputs: { y }, shapes, attributes }) => {
  const { codes, scales, bias } = inputs;
  const x = inputs.x as Float32Array;
  const terms = shapes.x[shapes.x.length - 1];
  const columns = shapes.codes[1];
  const used = usedColumns(columns, attributes);
  const outputs = used[1] - used[0];
  const weights = { codes: codesOf(codes as Int32Array, columns, terms * columns), scales, bias, columns };
  for (let row = 0; row * outputs < y.length; row++) {
    const values = x.subarray(row * terms, (row + 1) * terms);
    product(values, weights, used, y, row * outputs, attributes.activation);
  }
});

registerHostKernel(QuantizedConvolution, ({ inputs, outputs: { y }, shapes, attributes }) => {
  const { x, codes, scales, bias } = inputs;
  const [batch, height, width, channels] = shapes.x;
  const { rows, columns: filterColumns, strides, padding, dilations, activation } = attributes;
  const [down, across] = strides;
  const [top, bottom, left, right] = padding;
  const outHeight = Math.floor((height + top + bottom - (rows - 1) * dilations[0] - 1) / down) + 1;
  const outWidth = Math.floor((width + left + right - (filterColumns - 1) * dilations[1] - 1) / across) + 1;
  const terms = rows * filterColumns * channels;
  const columns = shapes.codes[1];
  const weights = { codes: codesOf(codes as Int32Array, columns, terms * columns), scales, bias, columns };
  const patch = new Float32Array(terms);
  for (let i = 0; i < batch * outHeight * outWidth; i++) {
    const [image, k, j] = [
      Math.floor(i / outWidth / outHeight),
      Math.floor(i / outWidth) % outHeight,
      i % outWidth,
    ];
    patch.fill(0);
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < filterColumns; q++) {
        const [above, beside] = [k * down + p * dilations[0] - top, j * across + q * dilations[1] - left];
        if (above < 0 || above >= height || beside < 0 || beside >= width) continue;
        const pixel = ((image * height + above) * width + beside) * channels;
        for (let c = 0; c < channels; c++) patch[(p * filterColumns + q) * channels + c] = x[pixel + c];
      }
    }
    product(patch, weights, [0, columns], y, i * columns, activation);
  }
});
