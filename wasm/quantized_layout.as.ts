// Memory layout of integer rows and weights.

/** Columns per panel of packed weights, rows per tile of q. */
export const PANEL: i32 = 8;
export const TILE: i32 = 4;

/**
 * Four codes of a column form a word, as do four q of a row. Relaxed products use them directly; others use pairs of 16-bit
 * integers: first those of the even bytes, then those of the odd ones, which can be separated without a constant.
 */
export const WORD_BYTES: usize = ASC_FEATURE_RELAXED_SIMD ? 4 : 8;

/**
 * Header of a panel: sums of the codes of a column, scales, biases, and whether sums of pairs need 32 bits. Then the words.
 */
export const SCALES: usize = 32;
export const BIASES: usize = 64;
export const IS_WIDE: usize = 96;
/**
 * Eight ones. Engines materialise a constant vector wherever it is used; one that is read from memory stays in a register.
 */
export const ONES: usize = 112;
export const PANEL_HEADER: usize = 128;

/** Header of a tile: the scales of its rows, and the q of their zeros. Then the words, interleaved by row. */
export const ZEROS: usize = 16;
export const TILE_HEADER: usize = 32;

/** What is computed of a panel without packing it: the sums of its columns, and IS_WIDE. */
export const TOTALS_IS_WIDE: usize = 32;
export const TOTALS_BYTES: usize = 48;

/** Words per column; an even number, since words are multiplied in pairs. */
export function wordsOf(inputs: i32): i32 {
  return ((inputs + 7) >> 3) << 1;
}

export function panelBytes(inputs: i32): usize {
  return PANEL_HEADER + <usize>wordsOf(inputs) * PANEL * WORD_BYTES;
}

export function tileBytes(inputs: i32): usize {
  return TILE_HEADER + <usize>wordsOf(inputs) * TILE * WORD_BYTES;
}

/** Whether this is the build for relaxed SIMD. */
export function quantizedIsRelaxed(): bool {
  return ASC_FEATURE_RELAXED_SIMD;
}

/** Bytes that quantizedTotals writes. */
export function quantizedTotalBytes(outputs: i32): usize {
  return <usize>((outputs + PANEL - 1) / PANEL) * TOTALS_BYTES;
}

/** Bytes of packed weights. */
export function quantizedPackBytes(inputs: i32, outputs: i32): usize {
  return <usize>((outputs + PANEL - 1) / PANEL) * panelBytes(inputs);
}

/** Bytes of the tiles of `rows` rows. */
export function quantizedTileBytes(rows: i32, inputs: i32): usize {
  return <usize>((rows + TILE - 1) / TILE) * tileBytes(inputs);
}

/** Loads the first `count` of four 32-bit lanes; the others are 0. */
export function loadLanes(from: usize, count: i32): v128 {
  if (count >= 4) return v128.load(from);
  let lanes = i32x4.splat(0);
  if (count > 0) lanes = v128.load32_lane(from, lanes, 0);
  if (count > 1) lanes = v128.load32_lane(from, lanes, 1, 4);
  if (count > 2) lanes = v128.load32_lane(from, lanes, 2, 8);
  return lanes;
}

export function storeLanes(to: usize, lanes: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, lanes);
    return;
  }
  if (count > 0) v128.store32_lane(to, lanes, 0);
  if (count > 1) v128.store32_lane(to, lanes, 1, 4);
  if (count > 2) v128.store32_lane(to, lanes, 2, 8);
}
