/** Differences between actual and expected values. */

/** Range of the error histograms: |error| / largest |expected| from 1e-12 to 1, two bins per decade. */
export const HISTOGRAM_BINS = 24;
export const HISTOGRAM_LOWEST = -12;

export interface Figures {
  /** Number of elements compared. */
  readonly count: number;
  readonly maxAbs: number;
  /** maxAbs / largest |expected|. */
  readonly maxRel: number;
  /** In float32 units in the last place, relative to the expected value rounded to float32. */
  readonly maxUlp: number;
  readonly p99Ulp: number;
  readonly meanUlp: number;
  /** ||given - expected|| / ||expected||, Euclidean norms. */
  readonly normwise: number;
  /** The largest |expected|. */
  readonly scale: number;
  /** Where the error is largest. */
  readonly worst: { readonly index: number; readonly given: number; readonly expected: number };
  /** Number of errors by size; the first entry counts errors of exactly 0. */
  readonly histogram: readonly number[];
}

const bits = new Int32Array(1);
const asFloat = new Float32Array(bits.buffer);

/** A float32 as an integer that numbers float32 values in order, so that differences are distances in ulp. */
function ordinal(value: number): number {
  asFloat[0] = value;
  return bits[0] < 0 ? -(bits[0] & 0x7fffffff) : bits[0];
}

/** Number of float32 values between two numbers rounded to float32. NaN to NaN is 0, NaN to a number infinite. */
export function ulpDistance(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Object.is(a, b) ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(ordinal(a) - ordinal(b));
}

/** |a - b| with NaN and infinities compared as values: 0 if equal, else infinite. */
export function distance(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/** Largest finite |value|. */
export function largest(values: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > scale && size < Number.POSITIVE_INFINITY) scale = size;
  }
  return scale;
}

/** @throws {Error} if the lengths differ */
export function measure(given: ArrayLike<number>, expected: ArrayLike<number>): Figures {
  if (given.length !== expected.length) {
    throw new Error(`${given.length} values came out where ${expected.length} were expected`);
  }
  const count = expected.length;
  const scale = largest(expected);
  const ulps = new Float64Array(count);
  const histogram = new Array<number>(HISTOGRAM_BINS + 1).fill(0);
  let worst = { index: count === 0 ? -1 : 0, given: given[0] ?? 0, expected: expected[0] ?? 0 };
  let [maxAbs, squares, expectedSquares, ulpSum] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const error = distance(given[i], expected[i]);
    ulps[i] = ulpDistance(given[i], expected[i]);
    ulpSum += ulps[i];
    if (Number.isFinite(expected[i])) {
      squares += error * error;
      expectedSquares += expected[i] * expected[i];
    }
    histogram[binOf(error, scale)]++;
    if (error > maxAbs) {
      maxAbs = error;
      worst = { index: i, given: given[i], expected: expected[i] };
    }
  }
  ulps.sort();
  return {
    count,
    maxAbs,
    maxRel: maxAbs === 0 ? 0 : maxAbs / scale,
    maxUlp: count === 0 ? 0 : ulps[count - 1],
    p99Ulp: count === 0 ? 0 : ulps[Math.ceil(0.99 * count) - 1],
    meanUlp: count === 0 ? 0 : ulpSum / count,
    normwise: squares === 0 ? 0 : Math.sqrt(squares / expectedSquares),
    scale,
    worst,
    histogram,
  };
}

function binOf(error: number, scale: number): number {
  if (error === 0) return 0;
  const decades = Math.log10(error / (scale || 1)) - HISTOGRAM_LOWEST;
  const bin = Number.isFinite(decades) ? Math.floor(2 * decades) : HISTOGRAM_BINS - 1;
  return 1 + Math.min(HISTOGRAM_BINS - 1, Math.max(0, bin));
}

/** Whether two arrays have the same bits; all NaN are equal, -0 and 0 differ. */
export function sameBits(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
