/** Rounding to integers and to float16. */

const ROUNDER = 1.5 * 2 ** 52;

/** Rounds halves to the even neighbour, like NumPy and Python's `round`. */
export function roundHalfEven(value: number): number {
  // Between 2^52 and 2^53 the next float64 is 1 away, so that the sum is rounded to an integer, half to even.
  if (Math.abs(value) < 2 ** 51) return value + ROUNDER - ROUNDER;
  // From here up to 2^52 float64 has halves, above only integers.
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2 === 0 ? 0 : 1) : value;
}

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** Returns the bits of the nearest float16, ties to even; infinity beyond its range. */
export function toFloat16(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude < 0x38800000) {
    // Below the smallest normal float16, 2^-14: a multiple of 2^-24.
    return sign | roundHalfEven(Math.abs(floatView[0]) * 2 ** 24);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  const half = (rounded - 0x38000000) >>> 13;
  return sign | Math.min(half, 0x7c00);
}
