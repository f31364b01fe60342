// Quantises float32 rows to 7-bit integers: a row of x is s * (q - z), with q from 0 to 127 and z the q of 0. The relaxed
// product is implementation-defined only if the eighth bit of its second operand is set, or if sums of two products exceed
// 16 bits: 2 * 127 * 127 does not.
import { loadLanes, TILE, TILE_HEADER, tileBytes, WORD_BYTES, wordsOf, ZEROS } from './quantized_layout.as';

/** The largest q. */
const LARGEST: i32 = 127;
/** Added to a float32 below 2^22, it leaves the nearest integer in the low bits; halves go to the even one. */
const ROUNDING: f32 = 12582912.0;
const ROUNDING_BITS: i32 = 0x4b400000;

/**
 * Quantises rows of x to tiles of four rows of q.
 * @param x [rows, inputs] float32
 * @param tiles of quantizedTileBytes, the result; q of rows beyond the last are meaningless
 */
export function quantizedRows(x: usize, tiles: usize, rows: i32, inputs: i32): void {
  const bytes = tileBytes(inputs);
  const stride = (<usize>inputs) << 2;
  for (let row = 0; row < rows; row += TILE, tiles += bytes, x += <usize>TILE * stride) {
    // A missing row repeats the last one.
    const last = rows - row - 1;
    const b = x + <usize>min(1, last) * stride;
    const c = x + <usize>min(2, last) * stride;
    const d = x + <usize>min(3, last) * stride;
    writeTile(x, b, c, d, tiles, inputs);
  }
}

/** Factors and offsets of four rows; (value * factor rounded) + offset is q. */
function writeTile(a: usize, b: usize, c: usize, d: usize, tile: usize, inputs: i32): void {
  const factorA = writeScale(a, tile, inputs);
  const factorB = writeScale(b, tile + 4, inputs);
  const factorC = writeScale(c, tile + 8, inputs);
  const factorD = writeScale(d, tile + 12, inputs);
  const offsetA = i32x4.splat(load<i32>(tile, ZEROS) - ROUNDING_BITS);
  const offsetB = i32x4.splat(load<i32>(tile, ZEROS + 4) - ROUNDING_BITS);
  const offsetC = i32x4.splat(load<i32>(tile, ZEROS + 8) - ROUNDING_BITS);
  const offsetD = i32x4.splat(load<i32>(tile, ZEROS + 12) - ROUNDING_BITS);
  if (inputs === 0) return; // a tile ends here
  // Through memory: a constant vector would be materialised wherever it is used.
  let to = tile + TILE_HEADER;
  store<f32>(to, ROUNDING);
  const rounding = v128.load32_splat(to);
  store<i32>(to, LARGEST * 0x01010101);
  const largest = v128.load32_splat(to);
  const whole = inputs >> 2;
  let at: usize = 0;
  for (let k = 0; k < whole; k++, at += 16, to += <usize>TILE * WORD_BYTES) {
    const ab = i16x8.narrow_i32x4_s(
      rounded(v128.load(a + at), factorA, rounding, offsetA),
      rounded(v128.load(b + at), factorB, rounding, offsetB),
    );
    const cd = i16x8.narrow_i32x4_s(
      rounded(v128.load(c + at), factorC, rounding, offsetC),
      rounded(v128.load(d + at), factorD, rounding, offsetD),
    );
    storeWords(to, i8x16.min_u(i8x16.narrow_i16x8_u(ab, cd), largest));
  }
  // Codes beyond the inputs are 0, so their q do not matter.
  const left = inputs & 3;
  if (left > 0) {
    const ab = i16x8.narrow_i32x4_s(
      rounded(loadLanes(a + at, left), factorA, rounding, offsetA),
      rounded(loadLanes(b + at, left), factorB, rounding, offsetB),
    );
    const cd = i16x8.narrow_i32x4_s(
      rounded(loadLanes(c + at, left), factorC, rounding, offsetC),
      rounded(loadLanes(d + at, left), factorD, rounding, offsetD),
    );
    storeWords(to, i8x16.min_u(i8x16.narrow_i16x8_u(ab, cd), largest));
    to += <usize>TILE * WORD_BYTES;
  }
  if ((inputs + 3) >> 2 < wordsOf(inputs)) storeWords(to, i32x4.splat(0));
}

function rounded(values: v128, factor: v128, rounding: v128, offset: v128): v128 {
  return i32x4.add(f32x4.add(f32x4.mul(values, factor), rounding), offset);
}

/** Stores four q of each of four rows. */
function storeWords(to: usize, q: v128): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    v128.store(to, q);
  } else {
    v128.store(to, i16x8.shr_u(i16x8.shl(q, 8), 8));
    v128.store(to, i16x8.shr_u(q, 8), 16);
  }
}

/**
 * Writes the scale of a row, followed by its z.
 * @returns the inverse of the scale
 */
function writeScale(x: usize, to: usize, inputs: i32): v128 {
  const end = x + ((<usize>inputs) << 2);
  // As integers, positive floats have the same order; negative ones have the opposite order and, unsigned, are above all
  // others; NaN is above infinity.
  let high = i32x4.splat(0);
  let low = i32x4.splat(0);
  let moreHigh = i32x4.splat(0);
  let moreLow = i32x4.splat(0);
  for (; x + 32 <= end; x += 32) {
    const values = v128.load(x);
    const more = v128.load(x, 16);
    high = i32x4.max_s(high, values);
    low = i32x4.max_u(low, values);
    moreHigh = i32x4.max_s(moreHigh, more);
    moreLow = i32x4.max_u(moreLow, more);
  }
  for (; x < end; x += 16) {
    const values = loadLanes(x, <i32>((end - x) >> 2));
    high = i32x4.max_s(high, values);
    low = i32x4.max_u(low, values);
  }
  high = i32x4.max_s(high, moreHigh);
  high = i32x4.max_s(
    high,
    i8x16.shuffle(high, high, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15),
  );
  high = i32x4.max_s(high, i8x16.shuffle(high, high, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
  low = i32x4.max_u(low, moreLow);
  low = i32x4.max_u(low, i8x16.shuffle(low, low, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  low = i32x4.max_u(low, i8x16.shuffle(low, low, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
  const most = f32x4.extract_lane(high, 0);
  const least = f32x4.extract_lane(low, 0);
  const range = most - (i32x4.extract_lane(low, 0) < 0 ? least : 0);
  let scale: f32 = range / <f32>LARGEST;
  let inverse: f32 = <f32>LARGEST / range;
  if (inverse === Infinity) scale = inverse = 0; // only zeros, or nearly so
  const zero: f32 = i32x4.extract_lane(low, 0) < 0 ? -least * inverse : 0;
  store<f32>(to, scale);
  store<i32>(to, reinterpret<i32>(zero + ROUNDING) - ROUNDING_BITS, ZEROS);
  return f32x4.splat(inverse);
}
