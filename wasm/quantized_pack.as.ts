// Packs 8-bit weights in panels of eight columns.
import {
  BIASES,
  IS_WIDE,
  loadLanes,
  ONES,
  PANEL,
  PANEL_HEADER,
  panelBytes,
  SCALES,
  TOTALS_BYTES,
  TOTALS_IS_WIDE,
  WORD_BYTES,
  wordsOf,
} from './quantized_layout.as';

/** Sums of this many weights of one sign stay within 16 bits when multiplied by 127. */
const MOST_OF_ONE_SIGN: i32 = 258;

/**
 * Computes what products need of weights without packing them: sums of columns, and whether sums of products of two words
 * need 32 bits.
 * @param codes [ceil(inputs / 4), columns], four codes of a column in the bytes of a word
 * @param totals of quantizedTotalBytes, the result, a record for each panel
 */
export function quantizedTotals(
  codes: usize,
  totals: usize,
  inputs: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  for (let column = first; column < end; column += PANEL, totals += TOTALS_BYTES) {
    const from = codes + ((<usize>column) << 2);
    const used = end - column;
    const isWide = totalsOfLanes(from, totals, inputs, columns, used);
    const isWideBehind = totalsOfLanes(from + 16, totals + 16, inputs, columns, used - 4);
    store<i32>(totals, <i32>(isWide || isWideBehind), TOTALS_IS_WIDE);
  }
}

function totalsOfLanes(codes: usize, totals: usize, inputs: i32, columns: i32, used: i32): bool {
  const words = (inputs + 3) >> 2;
  let sums = i32x4.splat(0);
  // The largest sums of codes of one sign whose products are added in 16 bits.
  let largest: v128 = i16x8.splat(0);
  let pairs: v128 = i16x8.splat(0);
  let positives: v128 = i16x8.splat(0);
  for (let k = 0; k < words; k++, codes += (<usize>columns) << 2) {
    const lanes = loadLanes(codes, used);
    const sum = sumsOfTwo(lanes);
    const positive = sumsOfTwo(i8x16.max_s(lanes, i8x16.splat(0)));
    sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(sum));
    const isSecond = (k & 1) !== 0;
    pairs = isSecond ? i16x8.add(pairs, sum) : sum;
    positives = isSecond ? i16x8.add(positives, positive) : positive;
    largest = i16x8.max_s(largest, i16x8.max_s(positives, i16x8.sub(positives, pairs)));
  }
  v128.store(totals, sums);
  return v128.any_true(i16x8.gt_s(largest, i16x8.splat(<i16>MOST_OF_ONE_SIGN)));
}

/** Adds pairs like a product of bytes does. */
function sumsOfTwo(codes: v128): v128 {
  return i16x8.extadd_pairwise_i8x16_s(codes);
}

/**
 * Packs columns of weights in panels of eight.
 * @param codes as for quantizedTotals
 * @param scales [columns] float32
 * @param bias [columns] float32, or 0
 * @param totals of quantizedTotals, the record of the panel of column `first`
 * @param packed of quantizedPackBytes, the result
 */
export function quantizedPack(
  codes: usize,
  scales: usize,
  bias: usize,
  totals: usize,
  packed: usize,
  inputs: i32,
  columns: i32,
  first: i32,
  end: i32,
): void {
  const bytes = panelBytes(inputs);
  for (let column = first; column < end; column += PANEL, packed += bytes, totals += TOTALS_BYTES) {
    const at = (<usize>column) << 2;
    const used = end - column;
    v128.store(packed, v128.load(totals));
    v128.store(packed, v128.load(totals, 16), 16);
    v128.store(packed, loadLanes(scales + at, used), SCALES);
    v128.store(packed, loadLanes(scales + at + 16, used - 4), SCALES + 16);
    v128.store(packed, bias ? loadLanes(bias + at, used) : i32x4.splat(0), BIASES);
    v128.store(packed, bias ? loadLanes(bias + at + 16, used - 4) : i32x4.splat(0), BIASES + 16);
    store<i32>(packed, load<i32>(totals, TOTALS_IS_WIDE), IS_WIDE);
    v128.store(packed, i16x8.splat(1), ONES);
    packWords(codes + at, packed + PANEL_HEADER, inputs, columns, used);
  }
}

function packWords(from: usize, to: usize, inputs: i32, columns: i32, used: i32): void {
  const row = (<usize>columns) << 2;
  const words = (inputs + 3) >> 2;
  let k = 0;
  if (used >= PANEL) {
    for (; k < words; k++, from += row, to += <usize>PANEL * WORD_BYTES) {
      storeWords(to, v128.load(from), v128.load(from, 16));
    }
  } else {
    for (; k < words; k++, from += row, to += <usize>PANEL * WORD_BYTES) {
      storeWords(to, loadLanes(from, used), loadLanes(from + 16, used - 4));
    }
  }
  if (k < wordsOf(inputs)) storeWords(to, i32x4.splat(0), i32x4.splat(0));
}

/** Stores one word of each of eight columns. */
function storeWords(to: usize, low: v128, high: v128): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    v128.store(to, low);
    v128.store(to, high, 16);
  } else {
    v128.store(to, i16x8.shr_s(i16x8.shl(low, 8), 8));
    v128.store(to, i16x8.shr_s(i16x8.shl(high, 8), 8), 16);
    v128.store(to, i16x8.shr_s(low, 8), 32);
    v128.store(to, i16x8.shr_s(high, 8), 48);
  }
}
