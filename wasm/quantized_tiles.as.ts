// Products of tiles of rows and panels of weights. All sums are of integers, so that every path gives the same bits.
//
// Registers: engines may hoist all loads of an iteration to its start, so that words, sums and intermediates must fit the 16
// registers of x64 together. If they spill, the relaxed product takes an eighth longer.
import {
  BIASES,
  IS_WIDE,
  loadLanes,
  ONES,
  PANEL,
  PANEL_HEADER,
  panelBytes,
  SCALES,
  storeLanes,
  TILE,
  TILE_HEADER,
  tileBytes,
  wordsOf,
  ZEROS,
} from './quantized_layout.as';

/**
 * y = residual + s * scales * sum over k of (q - z) * codes + bias. All rows are processed per panel, which stays in the
 * first-level cache.
 * @param tiles of quantizedRows
 * @param packed of quantizedPack
 * @param residual [rows, outputs] float32, or 0
 * @param y [rows, outputs] float32, the result
 * @param fused whether relaxed products use the multiply-and-add instruction, which some processors implement as one
 *   instruction
 */
export function quantizedProduct(
  tiles: usize,
  packed: usize,
  residual: usize,
  y: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
  fused: bool,
): void {
  const words = wordsOf(inputs);
  for (let column = 0; column < outputs; column += PANEL, packed += panelBytes(inputs), y += 4 * PANEL) {
    const used = outputs - column;
    const isWide = load<i32>(packed, IS_WIDE) !== 0;
    const step = ASC_FEATURE_RELAXED_SIMD && !fused ? 2 : TILE;
    let to = y;
    for (let row = 0; row < rows; row += step, to += (<usize>(step * outputs)) << 2) {
      const tile = tiles + <usize>(row / TILE) * tileBytes(inputs) + ((<usize>(row % TILE)) << 2);
      const count = rows - row;
      if (!ASC_FEATURE_RELAXED_SIMD) pairs(tile, packed, to, words, count, used, outputs);
      else if (fused) fusedBytes(tile, packed, to, words, count, used, outputs);
      else if (isWide) wideBytes(tile, packed, to, words, count, used, outputs);
      else bytes(tile, packed, to, words, count, used, outputs);
    }
    // Not where sums are stored: one more argument takes a register from the tile.
    if (residual) addRows(y, residual + ((<usize>column) << 2), rows, min(used, PANEL), outputs);
  }
}

/** Adds the residual to `columns` columns of rows that have just been written. */
export function addRows(y: usize, residual: usize, rows: i32, columns: i32, outputs: i32): void {
  const stride = (<usize>outputs) << 2;
  for (let row = 0; row < rows; row++, y += stride, residual += stride) {
    for (let column = 0; column < columns; column += 4) {
      const at = (<usize>column) << 2;
      const left = columns - column;
      storeLanes(y + at, f32x4.add(loadLanes(residual + at, left), loadLanes(y + at, left)), left);
    }
  }
}

/** Sums of products of 16-bit integers, four rows. */
function pairs(tile: usize, panel: usize, y: usize, words: i32, rows: i32, used: i32, outputs: i32): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0);
  let c1 = i32x4.splat(0);
  let d0 = i32x4.splat(0);
  let d1 = i32x4.splat(0);
  let x = tile + TILE_HEADER;
  let p = panel + PANEL_HEADER;
  for (const end = x + ((<usize>words) << 5); x < end; x += 16, p += 32) {
    const w0 = v128.load(p);
    const w1 = v128.load(p, 16);
    const d = v128.load32_splat(x, 12);
    d0 = i32x4.add(d0, i32x4.dot_i16x8_s(w0, d));
    d1 = i32x4.add(d1, i32x4.dot_i16x8_s(w1, d));
    const c = v128.load32_splat(x, 8);
    c0 = i32x4.add(c0, i32x4.dot_i16x8_s(w0, c));
    c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w1, c));
    const b = v128.load32_splat(x, 4);
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, b));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, b));
    const a = v128.load32_splat(x);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, a));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, a));
  }
  storeFour(tile, panel, y, rows, used, outputs, a0, a1, b0, b1, c0, c1, d0, d1);
}

/** Sums of products of bytes with the multiply-and-add instruction, four rows. */
function fusedBytes(
  tile: usize,
  panel: usize,
  y: usize,
  words: i32,
  rows: i32,
  used: i32,
  outputs: i32,
): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0);
  let c1 = i32x4.splat(0);
  let d0 = i32x4.splat(0);
  let d1 = i32x4.splat(0);
  let x = tile + TILE_HEADER;
  let p = panel + PANEL_HEADER;
  if (ASC_FEATURE_RELAXED_SIMD) {
    for (const end = x + ((<usize>words) << 4); x < end; x += 16, p += 32) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const d = v128.load32_splat(x, 12);
      d0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, d, d0);
      d1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, d, d1);
      const c = v128.load32_splat(x, 8);
      c0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, c, c0);
      c1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, c, c1);
      const b = v128.load32_splat(x, 4);
      b0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, b, b0);
      b1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, b, b1);
      const a = v128.load32_splat(x);
      a0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, a, a0);
      a1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, a, a1);
    }
  }
  storeFour(tile, panel, y, rows, used, outputs, a0, a1, b0, b1, c0, c1, d0, d1);
}

/** Sums of products of bytes, directly in 32 bits, two rows: for panels whose sums of two products exceed 16 bits. */
function wideBytes(
  tile: usize,
  panel: usize,
  y: usize,
  words: i32,
  rows: i32,
  used: i32,
  outputs: i32,
): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let x = tile + TILE_HEADER;
  let p = panel + PANEL_HEADER;
  if (ASC_FEATURE_RELAXED_SIMD) {
    const ones = v128.load(panel, ONES);
    for (const end = x + ((<usize>words) << 4); x < end; x += 16, p += 32) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const b = v128.load32_splat(x, 4);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w0, b), ones));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w1, b), ones));
      const a = v128.load32_splat(x);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w0, a), ones));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w1, a), ones));
    }
  }
  storeTwo(tile, panel, y, rows, used, outputs, a0, a1, b0, b1);
}

/**
 * Sums of products of bytes, two words at a time in 16 bits, two rows: for processors without a multiply-and-add
 * instruction.
 */
function bytes(tile: usize, panel: usize, y: usize, words: i32, rows: i32, used: i32, outputs: i32): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let x = tile + TILE_HEADER;
  let p = panel + PANEL_HEADER;
  if (ASC_FEATURE_RELAXED_SIMD) {
    const ones = v128.load(panel, ONES);
    for (const end = x + ((<usize>words) << 4); x < end; x += 32, p += 64) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const v0 = v128.load(p, 32);
      const v1 = v128.load(p, 48);
      const b = v128.load32_splat(x, 4);
      const d = v128.load32_splat(x, 20);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(sumOfTwo(w0, b, v0, d), ones));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(sumOfTwo(w1, b, v1, d), ones));
      const a = v128.load32_splat(x);
      const c = v128.load32_splat(x, 16);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(sumOfTwo(w0, a, v0, c), ones));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(sumOfTwo(w1, a, v1, c), ones));
    }
  }
  storeTwo(tile, panel, y, rows, used, outputs, a0, a1, b0, b1);
}

function sumOfTwo(w: v128, q: v128, v: v128, p: v128): v128 {
  return i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(w, q), i16x8.relaxed_dot_i8x16_i7x16_s(v, p));
}

function storeFour(
  tile: usize,
  panel: usize,
  y: usize,
  rows: i32,
  used: i32,
  outputs: i32,
  a0: v128,
  a1: v128,
  b0: v128,
  b1: v128,
  c0: v128,
  c1: v128,
  d0: v128,
  d1: v128,
): void {
  storeTwo(tile, panel, y, rows, used, outputs, a0, a1, b0, b1);
  if (rows > 2)
    storeTwo(tile + 8, panel, y + ((<usize>outputs) << 3), rows - 2, used, outputs, c0, c1, d0, d1);
}

function storeTwo(
  tile: usize,
  panel: usize,
  y: usize,
  rows: i32,
  used: i32,
  outputs: i32,
  a0: v128,
  a1: v128,
  b0: v128,
  b1: v128,
): void {
  const next = y + ((<usize>outputs) << 2);
  if (rows > 1 && used >= PANEL) {
    v128.store(y, finished(tile, panel, a0));
    v128.store(y, finished(tile, panel + 16, a1), 16);
    v128.store(next, finished(tile + 4, panel, b0));
    v128.store(next, finished(tile + 4, panel + 16, b1), 16);
  } else {
    storeLanes(y, finished(tile, panel, a0), used);
    storeLanes(y + 16, finished(tile, panel + 16, a1), used - 4);
    if (rows > 1) {
      storeLanes(next, finished(tile + 4, panel, b0), used);
      storeLanes(next + 16, finished(tile + 4, panel + 16, b1), used - 4);
    }
  }
}

/**
 * @param row the scale of a row, followed by its z.
 * @param columns the panel header of four columns
 */
function finished(row: usize, columns: usize, sums: v128): v128 {
  const beyond = i32x4.mul(v128.load32_splat(row, ZEROS), v128.load(columns));
  const scales = f32x4.mul(v128.load32_splat(row), v128.load(columns, SCALES));
  return f32x4.add(
    f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(sums, beyond)), scales),
    v128.load(columns, BIASES),
  );
}
