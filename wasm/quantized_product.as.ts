// Products of rows of 7 bits and columns of weights of 8 bits, in AssemblyScript. Built twice: for every engine with
// SIMD, and for those with relaxed SIMD, whose products of bytes this processor's C++ compiler has no name for. All sums
// are of integers, so that both give the same bits.
//
// A row of x is s * (q - z), with q of 0 to 127 and z the q of 0. What the relaxed product leaves to the machine begins
// with its second operand's eighth bit and with sums of two products beyond 16 bits: 2 * 127 * 127 is within.

/** Columns of a panel of packed weights, rows of a tile of q. */
const PANEL: i32 = 8;
const TILE: i32 = 4;
/** The largest q. */
const LARGEST: i32 = 127;

/** Four codes of a column are in a word; their bytes in a panel, and those of four q of a row. */
const CODE_BYTES: usize = ASC_FEATURE_RELAXED_SIMD ? 4 : 8;
/**
 * Bytes of a panel before its codes: sums of the codes, scales, biases, eight times 1, and whether sums of pairs need 32
 * bits. Engines make a constant vector anew wherever it is used; one that is read from memory stays in a register.
 */
const PANEL_HEADER: usize = 128;
const SCALES: usize = 32;
const BIASES: usize = 64;
const ONES: usize = 96;
const IS_WIDE: usize = 112;
/** Bytes of a tile before its q: the scales of its rows, and their z. */
const TILE_HEADER: usize = 32;
const ZEROS: usize = 16;

/** Sums of as many weights of one sign stay in 16 bits when they are multiplied by 127. */
const MOST_OF_ONE_SIGN: i32 = 258;

/** Words of a column; an even number, since words are multiplied in pairs. */
function wordsOf(inputs: i32): i32 {
  return ((inputs + 7) >> 3) << 1;
}

function panelBytes(inputs: i32): usize {
  return PANEL_HEADER + <usize>wordsOf(inputs) * PANEL * CODE_BYTES;
}

function tileBytes(inputs: i32): usize {
  return TILE_HEADER + <usize>wordsOf(inputs) * TILE * CODE_BYTES;
}

/** Whether this is the build for relaxed SIMD. */
export function quantizedIsRelaxed(): bool {
  return ASC_FEATURE_RELAXED_SIMD;
}

/** Bytes of packed weights. */
export function quantizedPackBytes(inputs: i32, outputs: i32): usize {
  return <usize>((outputs + PANEL - 1) / PANEL) * panelBytes(inputs);
}

/** Bytes of the tiles of `rows` rows. */
export function quantizedTileBytes(rows: i32, inputs: i32): usize {
  return <usize>((rows + TILE - 1) / TILE) * tileBytes(inputs);
}

/**
 * Packs columns of weights in panels of eight.
 * @param codes [ceil(inputs / 4), columns], four codes of a column in the bytes of a word
 * @param scales [columns] float32
 * @param bias [columns] float32, or 0
 * @param packed of quantizedPackBytes, the result
 */
export function quantizedPack(
  codes: usize,
  scales: usize,
  bias: usize,
  packed: usize,
  inputs: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  const stored = (inputs + 3) >> 2;
  const words = wordsOf(inputs);
  for (let column = first; column < end; column += PANEL, packed += panelBytes(inputs)) {
    const used = min(PANEL, end - column);
    for (let i = 0; i < PANEL; i++) {
      const at = (<usize>(column + i)) << 2;
      const to = packed + ((<usize>i) << 2);
      store<f32>(to, i < used ? load<f32>(scales + at) : 0, SCALES);
      store<f32>(to, i < used && bias ? load<f32>(bias + at) : 0, BIASES);
    }
    let low = i32x4.splat(0);
    let high = i32x4.splat(0);
    // Sums of the positive and of the negative codes whose products are added in 16 bits, and the largest of them.
    let positive: v128 = i16x8.splat(0);
    let largest: v128 = i16x8.splat(0);
    let previousLow = i16x8.splat(0);
    let previousHigh = i16x8.splat(0);
    let previousNegativeLow = i16x8.splat(0);
    let previousNegativeHigh = i16x8.splat(0);
    let from = codes + ((<usize>column) << 2);
    let to = packed + PANEL_HEADER;
    for (let k = 0; k < words; k++, from += (<usize>columns) << 2, to += <usize>PANEL * CODE_BYTES) {
      const a = k < stored ? loadWords(from, used) : i32x4.splat(0);
      const b = k < stored ? loadWords(from + 16, used - 4) : i32x4.splat(0);
      storeCodes(to, a);
      storeCodes(to + 16, b);
      low = i32x4.add(low, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(a)));
      high = i32x4.add(high, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(b)));
      if (ASC_FEATURE_RELAXED_SIMD) {
        const zero = i8x16.splat(0);
        const positiveLow = i16x8.extadd_pairwise_i8x16_s(i8x16.max_s(a, zero));
        const positiveHigh = i16x8.extadd_pairwise_i8x16_s(i8x16.max_s(b, zero));
        const negativeLow = i16x8.extadd_pairwise_i8x16_s(i8x16.min_s(a, zero));
        const negativeHigh = i16x8.extadd_pairwise_i8x16_s(i8x16.min_s(b, zero));
        if (k & 1) {
          positive = i16x8.max_s(i16x8.add(previousLow, positiveLow), i16x8.add(previousHigh, positiveHigh));
          largest = i16x8.max_s(largest, positive);
          positive = i16x8.min_s(
            i16x8.add(previousNegativeLow, negativeLow),
            i16x8.add(previousNegativeHigh, negativeHigh),
          );
          largest = i16x8.max_s(largest, i16x8.neg(positive));
        }
        previousLow = positiveLow;
        previousHigh = positiveHigh;
        previousNegativeLow = negativeLow;
        previousNegativeHigh = negativeHigh;
      }
    }
    v128.store(packed, low);
    v128.store(packed, high, 16);
    v128.store(packed, i16x8.splat(1), ONES);
    const beyond = i16x8.gt_s(largest, i16x8.splat(<i16>MOST_OF_ONE_SIGN));
    store<i32>(packed, <i32>v128.any_true(beyond), IS_WIDE);
  }
}

/** The first words of four, at most; the others are 0. */
function loadWords(from: usize, count: i32): v128 {
  if (count >= 4) return v128.load(from);
  let words = i32x4.splat(0);
  if (count > 0) words = v128.load32_lane(from, words, 0);
  if (count > 1) words = v128.load32_lane(from, words, 1, 4);
  if (count > 2) words = v128.load32_lane(from, words, 2, 8);
  return words;
}

/** Four words of codes: as they are, or as 16-bit integers, those of the lower halves of all words first. */
function storeCodes(to: usize, words: v128): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    v128.store(to, words);
  } else {
    const halves = i8x16.shuffle(words, words, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    v128.store(to, i16x8.extend_low_i8x16_s(halves));
    v128.store(to, i16x8.extend_high_i8x16_s(halves), 2 * 16);
  }
}

/** Added to a float32 of less than 2^22, it leaves the nearest integer in the low bits; halves go to the even one. */
const ROUNDING: f32 = 12582912.0;
const ROUNDING_BITS: i32 = 0x4b400000;

/**
 * Rows of x as tiles of four rows of q.
 * @param x [rows, inputs] float32
 * @param tiles of quantizedTileBytes, the result; q of rows beyond the last is 0
 */
export function quantizedRows(x: usize, tiles: usize, rows: i32, inputs: i32): void {
  const bytes = tileBytes(inputs);
  for (let row = 0; row < rows; row += TILE, tiles += bytes) {
    if (rows - row < TILE) memory.fill(tiles, 0, bytes);
    const count = min(TILE, rows - row);
    for (let r = 0; r < count; r++, x += (<usize>inputs) << 2) quantizeRow(x, tiles, r, inputs);
  }
}

function quantizeRow(x: usize, tile: usize, row: i32, inputs: i32): void {
  const end = x + ((<usize>inputs) << 2);
  let lows = f32x4.splat(0);
  let highs = f32x4.splat(0);
  let strange: v128 = f32x4.splat(0);
  let from = x;
  for (; from + 16 <= end; from += 16) {
    const values = v128.load(from);
    lows = f32x4.pmin(lows, values);
    highs = f32x4.pmax(highs, values);
    strange = v128.or(strange, f32x4.ne(values, values));
  }
  let low = min(
    min(f32x4.extract_lane(lows, 0), f32x4.extract_lane(lows, 1)),
    min(f32x4.extract_lane(lows, 2), f32x4.extract_lane(lows, 3)),
  );
  let high = max(
    max(f32x4.extract_lane(highs, 0), f32x4.extract_lane(highs, 1)),
    max(f32x4.extract_lane(highs, 2), f32x4.extract_lane(highs, 3)),
  );
  for (; from < end; from += 4) {
    const value = load<f32>(from);
    low = min(low, value); // NaN stays
    high = max(high, value);
  }
  if (v128.any_true(strange)) low = NaN;
  const range = high - low;
  let scale: f32 = range / <f32>LARGEST;
  let inverse: f32 = <f32>LARGEST / range;
  if (inverse === Infinity) scale = inverse = 0; // nothing but zeros, or nearly
  const at = tile + ((<usize>row) << 2);
  // By way of memory, as the ones of a panel.
  store<f32>(at, ROUNDING);
  store<i32>(at, ROUNDING_BITS, ZEROS);
  const rounding = v128.load32_splat(at);
  const bits = v128.load32_splat(at, ZEROS);
  const zero = i32x4.extract_lane(i32x4.sub(f32x4.add(f32x4.splat(-low * inverse), rounding), bits), 0);
  const offset = i32x4.sub(i32x4.splat(zero), bits);
  const factor = f32x4.splat(inverse);
  store<i32>(at, LARGEST * 0x10001);
  const largest = v128.load32_splat(at);
  store<f32>(at, scale);
  store<i32>(at, zero, ZEROS);
  let to = at + TILE_HEADER;
  from = x;
  for (; from + 32 <= end; from += 32, to += 2 * <usize>TILE * CODE_BYTES) {
    storeRow(to, codesOf(v128.load(from), v128.load(from, 16), factor, rounding, offset, largest));
  }
  const left = <i32>((end - from) >> 2);
  if (left > 0) {
    const a = loadWords(from, left);
    const b = loadWords(from + 16, left - 4);
    storeRow(to, codesOf(a, b, factor, rounding, offset, largest));
  }
}

/** Eight q as 16-bit integers. NaN, and the sum of two halves that were rounded up, are the only ones beyond 127. */
function codesOf(a: v128, b: v128, factor: v128, rounding: v128, offset: v128, largest: v128): v128 {
  const low = i32x4.add(f32x4.add(f32x4.mul(a, factor), rounding), offset);
  const high = i32x4.add(f32x4.add(f32x4.mul(b, factor), rounding), offset);
  return i16x8.max_s(i16x8.min_s(i16x8.narrow_i32x4_s(low, high), largest), i16x8.splat(0));
}

/** Eight q of a row: two words of every row follow one another, or, of 16 bits, four pairs. */
function storeRow(to: usize, q: v128): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    const bytes = i8x16.narrow_i16x8_u(q, q);
    v128.store32_lane(to, bytes, 0);
    v128.store32_lane(to, bytes, 1, 16);
  } else {
    v128.store32_lane(to, q, 0);
    v128.store32_lane(to, q, 1, 16);
    v128.store32_lane(to, q, 2, 32);
    v128.store32_lane(to, q, 3, 48);
  }
}

/**
 * y = s * scales * sum over k of (q - z) * codes + bias. All rows pass a panel, which stays in the first cache.
 * @param tiles of quantizedRows
 * @param packed of quantizedPack
 * @param y [rows, outputs] float32, the result
 * @param fused whether sums of relaxed products are taken by the instruction that adds, which some processors have as one
 */
export function quantizedProduct(
  tiles: usize,
  packed: usize,
  y: usize,
  rows: i32,
  inputs: i32,
  outputs: i32,
  fused: bool,
): void {
  const words = wordsOf(inputs);
  const tileSize = tileBytes(inputs);
  for (let column = 0; column < outputs; column += PANEL, packed += panelBytes(inputs)) {
    const used = min(PANEL, outputs - column);
    const isWide = load<i32>(packed, IS_WIDE) !== 0;
    let tile = tiles;
    for (let row = 0; row < rows; row += TILE, tile += tileSize) {
      const to = y + ((<usize>row * outputs + column) << 2);
      const count = min(TILE, rows - row);
      if (!ASC_FEATURE_RELAXED_SIMD) pairs(tile, packed, to, words, count, used, outputs);
      else if (fused) fusedBytes(tile, packed, to, words, count, used, outputs);
      else if (isWide) wideBytes(tile, packed, to, words, count, used, outputs);
      else bytes(tile, packed, to, words, count, used, outputs);
    }
  }
}

/** Sums of products of 16-bit integers. */
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
  for (let k = 0; k < 2 * words; k++, x += 16, p += 32) {
    const w0 = v128.load(p);
    const w1 = v128.load(p, 16);
    const a = v128.load32_splat(x);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, a));
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, a));
    const b = v128.load32_splat(x, 4);
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, b));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, b));
    const c = v128.load32_splat(x, 8);
    c0 = i32x4.add(c0, i32x4.dot_i16x8_s(w0, c));
    c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w1, c));
    const d = v128.load32_splat(x, 12);
    d0 = i32x4.add(d0, i32x4.dot_i16x8_s(w0, d));
    d1 = i32x4.add(d1, i32x4.dot_i16x8_s(w1, d));
  }
  storeTile(tile, panel, y, rows, used, outputs, a0, a1, b0, b1, c0, c1, d0, d1);
}

/** Sums of products of bytes, by the instruction that also adds. */
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
    for (let k = 0; k < words; k++, x += 16, p += 32) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const a = v128.load32_splat(x);
      a0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, a, a0);
      a1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, a, a1);
      const b = v128.load32_splat(x, 4);
      b0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, b, b0);
      b1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, b, b1);
      const c = v128.load32_splat(x, 8);
      c0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, c, c0);
      c1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, c, c1);
      const d = v128.load32_splat(x, 12);
      d0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w0, d, d0);
      d1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(w1, d, d1);
    }
  }
  storeTile(tile, panel, y, rows, used, outputs, a0, a1, b0, b1, c0, c1, d0, d1);
}

/** Sums of products of bytes, in 32 bits at once: for panels whose sums of two products do not fit into 16. */
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
  let c0 = i32x4.splat(0);
  let c1 = i32x4.splat(0);
  let d0 = i32x4.splat(0);
  let d1 = i32x4.splat(0);
  let x = tile + TILE_HEADER;
  let p = panel + PANEL_HEADER;
  if (ASC_FEATURE_RELAXED_SIMD) {
    for (let k = 0; k < words; k++, x += 16, p += 32) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const a = v128.load32_splat(x);
      a0 = i32x4.add(a0, widened(w0, a));
      a1 = i32x4.add(a1, widened(w1, a));
      const b = v128.load32_splat(x, 4);
      b0 = i32x4.add(b0, widened(w0, b));
      b1 = i32x4.add(b1, widened(w1, b));
      const c = v128.load32_splat(x, 8);
      c0 = i32x4.add(c0, widened(w0, c));
      c1 = i32x4.add(c1, widened(w1, c));
      const d = v128.load32_splat(x, 12);
      d0 = i32x4.add(d0, widened(w0, d));
      d1 = i32x4.add(d1, widened(w1, d));
    }
  }
  storeTile(tile, panel, y, rows, used, outputs, a0, a1, b0, b1, c0, c1, d0, d1);
}

function widened(w: v128, q: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w, q));
}

/** Sums of products of bytes, two words at a time in 16 bits: for processors that have no instruction that also adds. */
function bytes(tile: usize, panel: usize, y: usize, words: i32, rows: i32, used: i32, outputs: i32): void {
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
    const ones = v128.load(panel, ONES);
    for (let k = 0; k < words; k += 2, x += 32, p += 64) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const v0 = v128.load(p, 32);
      const v1 = v128.load(p, 48);
      const a = v128.load32_splat(x);
      const e = v128.load32_splat(x, 16);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(sumOfTwo(w0, a, v0, e), ones));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(sumOfTwo(w1, a, v1, e), ones));
      const b = v128.load32_splat(x, 4);
      const f = v128.load32_splat(x, 20);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(sumOfTwo(w0, b, v0, f), ones));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(sumOfTwo(w1, b, v1, f), ones));
      const c = v128.load32_splat(x, 8);
      const g = v128.load32_splat(x, 24);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(sumOfTwo(w0, c, v0, g), ones));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(sumOfTwo(w1, c, v1, g), ones));
      const d = v128.load32_splat(x, 12);
      const h = v128.load32_splat(x, 28);
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(sumOfTwo(w0, d, v0, h), ones));
      d1 = i32x4.add(d1, i32x4.dot_i16x8_s(sumOfTwo(w1, d, v1, h), ones));
    }
  }
  storeTile(tile, panel, y, rows, used, outputs, a0, a1, b0, b1, c0, c1, d0, d1);
}

function sumOfTwo(w: v128, q: v128, v: v128, p: v128): v128 {
  return i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(w, q), i16x8.relaxed_dot_i8x16_i7x16_s(v, p));
}

function storeTile(
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
  const stride = (<usize>outputs) << 2;
  storeRowOfTile(tile, panel, y, used, a0, a1);
  if (rows > 1) storeRowOfTile(tile + 4, panel, y + stride, used, b0, b1);
  if (rows > 2) storeRowOfTile(tile + 8, panel, y + 2 * stride, used, c0, c1);
  if (rows > 3) storeRowOfTile(tile + 12, panel, y + 3 * stride, used, d0, d1);
}

function storeRowOfTile(row: usize, panel: usize, y: usize, used: i32, low: v128, high: v128): void {
  const first = finished(row, panel, low);
  const second = finished(row, panel + 16, high);
  if (used === PANEL) {
    v128.store(y, first);
    v128.store(y, second, 16);
  } else {
    storeWords(y, first, used);
    storeWords(y + 16, second, used - 4);
  }
}

/** @param row the scale of the row, and its z behind. @param columns what a panel has of four columns */
function finished(row: usize, columns: usize, sums: v128): v128 {
  const beyond = i32x4.mul(v128.load32_splat(row, ZEROS), v128.load(columns));
  const scales = f32x4.mul(v128.load32_splat(row), v128.load(columns, SCALES));
  return f32x4.add(
    f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(sums, beyond)), scales),
    v128.load(columns, BIASES),
  );
}

function storeWords(to: usize, words: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, words);
    return;
  }
  if (count > 0) v128.store32_lane(to, words, 0);
  if (count > 1) v128.store32_lane(to, words, 1, 4);
  if (count > 2) v128.store32_lane(to, words, 2, 8);
}

/**
 * The same for few rows: the weights are read where they are, once and in order.
 * @param tiles of quantizedRows
 * @param y [rows, end - first] float32, the result
 */
export function quantizedStream(
  tiles: usize,
  codes: usize,
  scales: usize,
  bias: usize,
  y: usize,
  rows: i32,
  inputs: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  const outputs = end - first;
  const words = (inputs + 3) >> 2;
  for (let r = 0; r < rows; r++, y += (<usize>outputs) << 2) {
    const tile = tiles + <usize>(r / TILE) * tileBytes(inputs) + ((<usize>(r % TILE)) << 2);
    const zero = load<i32>(tile, ZEROS);
    memory.fill(y, 0, (<usize>outputs) << 2);
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
          products(loadWords(from + at, left), a, b),
          products(loadWords(next + at, left), c, d),
        );
        storeWords(y + at, i32x4.add(loadWords(y + at, left), sums), left);
      }
    }
    if (k < words) {
      const a = centred(tile, k, 0, zero);
      const b = centred(tile, k, 1, zero);
      for (let o = 0; o < outputs; o += 4) {
        const at = (<usize>o) << 2;
        const left = outputs - o;
        const sums = products(loadWords(from + at, left), a, b);
        storeWords(y + at, i32x4.add(loadWords(y + at, left), sums), left);
      }
    }
    const scale = v128.load32_splat(tile);
    for (let o = 0; o < outputs; o += 4) {
      const at = (<usize>o) << 2;
      const column = at + ((<usize>first) << 2);
      const left = outputs - o;
      const factors = f32x4.mul(scale, loadWords(scales + column, left));
      const products = f32x4.mul(f32x4.convert_i32x4_s(loadWords(y + at, left)), factors);
      const biases = bias ? loadWords(bias + column, left) : f32x4.splat(0);
      storeWords(y + at, f32x4.add(products, biases), left);
    }
  }
}

/** q - z of the even (0) or the odd (1) codes of a word, as pairs of 16-bit integers. */
function centred(row: usize, word: i32, odd: i32, zero: i32): v128 {
  const low = qOf(row, word, odd) - zero;
  const high = qOf(row, word, odd + 2) - zero;
  return i32x4.splat((low & 0xffff) | (high << 16));
}

function qOf(row: usize, word: i32, index: i32): i32 {
  const at = row + TILE_HEADER + <usize>word * TILE * CODE_BYTES;
  if (ASC_FEATURE_RELAXED_SIMD) return load<u8>(at + <usize>index);
  return load<i16>(at + ((<usize>index >> 1) << 4) + ((<usize>index & 1) << 1));
}

/** Sums over four words of codes times q - z. */
function products(words: v128, even: v128, odd: v128): v128 {
  const evenCodes = i16x8.shr_s(i16x8.shl(words, 8), 8);
  const oddCodes = i16x8.shr_s(words, 8);
  return i32x4.add(i32x4.dot_i16x8_s(evenCodes, even), i32x4.dot_i16x8_s(oddCodes, odd));
}
