// Products of few rows: the weights are read in place, once and in order.
import {
  loadLanes,
  storeLanes,
  TILE,
  TILE_HEADER,
  tileBytes,
  WORD_BYTES,
  ZEROS,
} from './quantized_layout.as';
import { addRows } from './quantized_tiles.as';

/**
 * Computes the product of quantizedProduct for few rows.
 * @param tiles of quantizedRows
 * @param residual [rows, end - first] float32, or 0
 * @param y [rows, end - first] float32, the result
 */
export function quantizedStream(
  tiles: usize,
  codes: usize,
  scales: usize,
  bias: usize,
  residual: usize,
  y: usize,
  rows: i32,
  inputs: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  const outputs = end - first;
  const words = (inputs + 3) >> 2;
  let to = y;
  for (let r = 0; r < rows; r++, to += (<usize>outputs) << 2) {
    const tile = tiles + <usize>(r / TILE) * tileBytes(inputs) + ((<usize>(r % TILE)) << 2);
    const zero = load<i32>(tile, ZEROS);
    memory.fill(to, 0, (<usize>outputs) << 2);
    let from = codes + ((<usize>first) << 2);
    let k = 0;
    for (; k + 2 <= words; k += 2, from += (<usize>columns) << 3) {
      const a = centred(tile, k, 0, zero);
      const b = centred(tile, k, 1, zero);
      const c = centred(tile, k + 1, 0, zero);
      const d = centred(tile, k + 1, 1, zero);
      const next = from + ((<usize>columns) << 2);
      for (let o = 0; o < outputs; o += 4) {
        const at = (<usize>o) << 2;
        const left = outputs - o;
        const sums = i32x4.add(
          products(loadLanes(from + at, left), a, b),
          products(loadLanes(next + at, left), c, d),
        );
        storeLanes(to + at, i32x4.add(loadLanes(to + at, left), sums), left);
      }
    }
    if (k < words) {
      const a = centred(tile, k, 0, zero);
      const b = centred(tile, k, 1, zero);
      for (let o = 0; o < outputs; o += 4) {
        const at = (<usize>o) << 2;
        const left = outputs - o;
        const sums = products(loadLanes(from + at, left), a, b);
        storeLanes(to + at, i32x4.add(loadLanes(to + at, left), sums), left);
      }
    }
    const scale = v128.load32_splat(tile);
    for (let o = 0; o < outputs; o += 4) {
      const at = (<usize>o) << 2;
      const column = at + ((<usize>first) << 2);
      const left = outputs - o;
      const factors = f32x4.mul(scale, loadLanes(scales + column, left));
      const products = f32x4.mul(f32x4.convert_i32x4_s(loadLanes(to + at, left)), factors);
      const biases = bias ? loadLanes(bias + column, left) : f32x4.splat(0);
      storeLanes(to + at, f32x4.add(products, biases), left);
    }
  }
  if (residual) addRows(y, residual, rows, outputs, outputs);
}

/** Returns q - z of the even (0) or odd (1) codes of a word, as pairs of 16-bit integers. */
function centred(row: usize, word: i32, odd: i32, zero: i32): v128 {
  const low = qOf(row, word, odd) - zero;
  const high = qOf(row, word, odd + 2) - zero;
  return i32x4.splat((low & 0xffff) | (high << 16));
}

function qOf(row: usize, word: i32, index: i32): i32 {
  const at = row + TILE_HEADER + <usize>word * TILE * WORD_BYTES;
  if (ASC_FEATURE_RELAXED_SIMD) return load<u8>(at + <usize>index);
  return load<i16>(at + ((<usize>index & 1) << 4) + (<usize>index & 2));
}

/** Returns sums over four words of codes times q - z. */
function products(words: v128, even: v128, odd: v128): v128 {
  const evenCodes = i16x8.shr_s(i16x8.shl(words, 8), 8);
  const oddCodes = i16x8.shr_s(words, 8);
  return i32x4.add(i32x4.dot_i16x8_s(evenCodes, even), i32x4.dot_i16x8_s(oddCodes, odd));
}
