/**
 * Weight quantisation as in TensorFlow.js's own converter: `float16`, or an affine map of a tensor's range to `uint8` or `uint16`
 * that represents zero exactly. tfjs restores float32 when it loads the model. (`int8` changes the graph: see quantize_graph.ts.)
 */

import { roundHalfEven, toFloat16 } from '../../plugin/rounding.js';
import { CheckpointError, quote } from '../pytorch/errors.js';

export const QUANTIZATIONS = ['none', 'float16', 'uint8', 'uint16', 'int8'] as const;
export type Quantization = (typeof QUANTIZATIONS)[number];

/** Bytes per stored value; for `int8`, of weights that stay float32. */
export const QUANTIZED_BYTES = { none: 4, float16: 2, uint8: 1, uint16: 2, int8: 4 } as const;

/** The `quantization` entry of a weight in model.json. */
export interface QuantizationEntry {
  readonly dtype: 'float16' | 'uint8' | 'uint16';
  readonly original_dtype: 'float32';
  readonly min?: number;
  readonly scale?: number;
}

/**
 * Quantises one tensor.
 * @param name of the tensor, for messages
 * @returns its bytes (little-endian) and its entry in model.json
 * @throws {CheckpointError} 'values' if the type cannot represent the values
 */
export function quantize(
  name: string,
  values: Float32Array,
  quantization: Exclude<Quantization, 'none' | 'int8'>,
): { bytes: Uint8Array; entry: QuantizationEntry } {
  const refuse = (problem: string): never => {
    const message = `the tensor ${quote(name)} ${problem} and cannot be stored as ${quantization}`;
    throw new CheckpointError('values', message);
  };
  if (quantization === 'float16') {
    const halves = Uint16Array.from(values, toFloat16);
    const beyond = halves.findIndex((half, i) => (half & 0x7fff) === 0x7c00 && Number.isFinite(values[i]));
    if (beyond >= 0) refuse(`has the value ${values[beyond]}, beyond the range of float16 (65504),`);
    return { bytes: bytesOf(halves), entry: { dtype: 'float16', original_dtype: 'float32' } };
  }
  const range = affineRange(values, quantization);
  const { min, max, scale } = range ?? refuse('has values that are not finite');
  const codes = quantization === 'uint8' ? new Uint8Array(values.length) : new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    codes[i] = roundHalfEven((Math.min(Math.max(values[i], min), max) - min) / scale);
  }
  return { bytes: bytesOf(codes), entry: { dtype: quantization, min, scale, original_dtype: 'float32' } };
}

interface AffineRange {
  readonly min: number;
  readonly max: number;
  readonly scale: number;
}

/**
 * The range of a tensor, shifted by less than a step so that zero is one of the stored values; undefined if a value is not
 * finite.
 */
function affineRange(values: Float32Array, quantization: 'uint8' | 'uint16'): AffineRange | undefined {
  const steps = quantization === 'uint8' ? 0xff : 0xffff;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (values.length === 0) return { min: 0, max: 0, scale: 1 };
  if (!(Number.isFinite(min) && Number.isFinite(max)) || values.includes(Number.NaN)) return undefined;
  if (min === max) return { min, max, scale: 1 };
  const scale = (max - min) / steps;
  if (min > 0 || max < 0) return { min, max, scale };
  const zeroCode = roundHalfEven(-min / scale);
  const nudged = -zeroCode * scale;
  return { min: nudged, max: steps * scale + nudged, scale };
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
