/** Selects the best boxes, and suppresses those that overlap a better one. */
const f32 = Math.fround;

/** Options of suppression. */
export interface Suppression {
  /** A box is dropped if its intersection over union with a kept one is larger. */
  readonly threshold: number;
  /** Maximum number of boxes to keep. */
  readonly most: number;
  /** Boxes with different labels do not suppress each other. */
  readonly labels?: ArrayLike<number>;
}

/**
 * Non-maximum suppression: visits boxes by descending score, ties by lower index, and drops those that overlap a kept one
 * too much. All in float32.
 * @param boxes [K, 4]
 * @returns indices of the kept boxes, in the order of visits.
 */
export type Suppress = (boxes: Float32Array, scores: Float32Array, how: Suppression) => Int32Array;

export const suppress: Suppress = (given, scores, { threshold, most, labels }) => {
  const boxes = labels ? apartByLabel(given, labels) : given;
  const limit = f32(threshold);
  const areas = areasOf(boxes);
  const kept: number[] = [];
  for (const k of descending(scores)) {
    if (kept.length >= most) break;
    let i = 0;
    while (i < kept.length && !(overlap(boxes, areas, kept[i], k) > limit)) i++;
    if (i === kept.length) kept.push(k);
  }
  return Int32Array.from(kept);
};

/** Computes the areas of boxes [K, 4] in float32. */
export function areasOf(boxes: Float32Array): Float32Array {
  return Float32Array.from({ length: boxes.length / 4 }, (_, k) => {
    const [x1, y1, x2, y2] = boxes.subarray(4 * k, 4 * k + 4);
    return f32(x2 - x1) * f32(y2 - y1);
  });
}

/** Computes the intersection over union of boxes a and b in float32; 0 also for 0 / 0. */
export function overlap(boxes: Float32Array, areas: Float32Array, a: number, b: number): number {
  const [i, j] = [4 * a, 4 * b];
  const width = f32(Math.min(boxes[i + 2], boxes[j + 2]) - Math.max(boxes[i], boxes[j]));
  if (!(width > 0)) return 0; // most boxes do not overlap
  const height = f32(Math.min(boxes[i + 3], boxes[j + 3]) - Math.max(boxes[i + 1], boxes[j + 1]));
  if (!(height > 0)) return 0;
  const shared = f32(width * height);
  return f32(shared / f32(f32(areas[a] + areas[b]) - shared));
}

/** Shifts boxes by label * (largest coordinate + 1), so that those of different labels do not overlap. */
export function apartByLabel(boxes: Float32Array, labels: ArrayLike<number>): Float32Array {
  const step = f32(boxes.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY) + 1);
  return boxes.map((value, i) => value + f32(f32(labels[i >> 2]) * step));
}

/**
 * Returns indices of scores in descending order, ties by lower index; NaN comes last.
 * @param count number of best scores to return.
 */
export function descending(scores: Float32Array, count = scores.length): Int32Array {
  const keys = keysOf(scores);
  const chosen = count < scores.length ? atLeastBest(keys, count) : Int32Array.from(keys.keys());
  return chosen.sort((a, b) => keys[b] - keys[a] || a - b).subarray(0, count);
}

/** Converts scores to integers with the same order. */
function keysOf(scores: Float32Array): Uint32Array {
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  return bits.map((word, i) => {
    if (scores[i] === 0) return 0x80000000; // includes -0
    if (Number.isNaN(scores[i])) return 0;
    return word & 0x80000000 ? ~word : word | 0x80000000;
  });
}

/**
 * Returns the indices of the `count` largest keys, and of all others whose upper half equals that of the smallest of these.
 */
function atLeastBest(keys: Uint32Array, count: number): Int32Array {
  const histogram = new Uint32Array(1 << 16);
  for (const key of keys) histogram[key >>> 16]++;
  let upper = histogram.length;
  for (let found = 0; found < count; ) found += histogram[--upper];
  const least = upper * 2 ** 16;
  const indices: number[] = [];
  keys.forEach((key, i) => {
    if (key >= least) indices.push(i);
  });
  return Int32Array.from(indices);
}
