// Converts values of any readable type to float32. Every float16 and bfloat16 value is a float32 value, so these are widened
// exactly (including the bit pattern of NaNs); float64 and wide integers are rounded to nearest, ties to even.

import type { ReadableDType, TensorValues } from './dtype.js';

let halfTable: Uint32Array | undefined;

/** The float32 bits of each of the 65,536 float16 values. */
function halfToFloatBits(): Uint32Array {
  if (halfTable !== undefined) return halfTable;
  halfTable = new Uint32Array(1 << 16);
  for (let half = 0; half < halfTable.length; half++) {
    const sign = (half & 0x8000) << 16;
    let exponent = (half >> 10) & 0x1f;
    let fraction = half & 0x3ff;
    let bits: number;
    if (exponent === 0x1f) {
      bits = sign | 0x7f800000 | (fraction << 13);
    } else if (exponent === 0 && fraction === 0) {
      bits = sign;
    } else {
      if (exponent === 0) {
        // Subnormal: float32 can represent it as a normal number.
        exponent = 1;
        while ((fraction & 0x400) === 0) {
          fraction <<= 1;
          exponent--;
        }
        fraction &= 0x3ff;
      }
      bits = sign | ((exponent + 127 - 15) << 23) | (fraction << 13);
    }
    halfTable[half] = bits >>> 0;
  }
  return halfTable;
}

/** Converts `values` (as returned by `StoredTensor.read`) to float32. A Float32Array is returned as it is. */
export function toFloat32(values: TensorValues, dtype: ReadableDType): Float32Array {
  if (values instanceof Float32Array) return values;
  if (values instanceof Uint16Array) {
    const bits = new Uint32Array(values.length);
    if (dtype === 'bfloat16') {
      for (let i = 0; i < bits.length; i++) bits[i] = values[i] << 16;
    } else {
      const table = halfToFloatBits();
      for (let i = 0; i < bits.length; i++) bits[i] = table[values[i]];
    }
    return new Float32Array(bits.buffer);
  }
  const result = new Float32Array(values.length);
  for (let i = 0; i < result.length; i++) result[i] = Number(values[i]);
  return result;
}
