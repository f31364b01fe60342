/**
 * Separable resampling along one axis: which source positions, with which weights, make up each position of the result.
 * Resizing, pooling, RoI alignment and mask pasting are such maps of rows and of columns; the gradient is the transposed
 * map. Positions are computed as in PyTorch, in float32 where PyTorch does, because rounding decides which pixel is taken.
 */

/** Weights of consecutive source positions, starting at `first`. */
export interface Samples {
  readonly first: number;
  readonly weights: readonly number[];
}

/** Samples by position of the result. */
export type AxisMap = readonly Samples[];

const NOTHING: Samples = { first: 0, weights: [] };
const f32 = Math.fround;

/** Computes the samples of positions 0 to count - 1. */
function mapOf(count: number, samplesOf: (position: number) => Samples): AxisMap {
  return Array.from({ length: count }, (_, position) => samplesOf(position));
}

/** Interpolates between two neighbours, clamped to the last. */
function between(low: number, fraction: number, size: number): Samples {
  if (low >= size - 1) return { first: size - 1, weights: [1] };
  return { first: low, weights: [f32(1 - fraction), fraction] };
}

/**
 * Bilinear interpolation: half-pixel centres, source `max((d + 0.5) * size / count - 0.5, 0)`.
 * @param alignCorners aligns the first and the last positions with each other instead.
 */
export function bilinearMap(size: number, count: number, alignCorners = false): AxisMap {
  const ratio = alignCorners ? (count > 1 ? (size - 1) / (count - 1) : 0) : size / count;
  return mapOf(count, (d) => {
    const at = alignCorners ? d * ratio : Math.max((d + 0.5) * ratio - 0.5, 0);
    const low = Math.min(Math.floor(at), size - 1);
    return between(low, f32(at - low), size);
  });
}

/** The nearest source position, `min(floor(d * float32(size / count)), size - 1)`, with the product in float32. */
export function nearestMap(size: number, count: number): AxisMap {
  const ratio = f32(size / count);
  return mapOf(count, (d) => ({ first: Math.min(Math.floor(f32(d * ratio)), size - 1), weights: [1] }));
}

/** Means of the positions from `floor(i * size / count)` to `ceil((i + 1) * size / count)` (exclusive). */
export function poolingMap(size: number, count: number): AxisMap {
  return mapOf(count, (i) => {
    const first = Math.floor((i * size) / count);
    const length = Math.ceil(((i + 1) * size) / count) - first;
    return { first, weights: new Array<number>(length).fill(1 / length) };
  });
}

/**
 * Maximum number of samples per bin if it is given. (If it follows from the size of a bin, samples outside the map are not
 * visited.)
 */
export const MOST_SAMPLES = 64;

/**
 * One axis of a region that is divided into bins: each is the mean of bilinear samples in it.
 * @param start of the region, and its length, in positions of the map.
 * @param samples per bin; 0: one for each position that it covers, `ceil(bin)`.
 */
export function regionMap(
  start: number,
  length: number,
  { size, count, samples }: { readonly size: number; readonly count: number; readonly samples: number },
): AxisMap {
  const bin = f32(length / count);
  const inBin = samples > 0 ? samples : Math.ceil(bin);
  if (!(inBin > 0 && inBin < Number.POSITIVE_INFINITY)) return mapOf(count, () => NOTHING);
  return mapOf(count, (p) => {
    const origin = f32(start + f32(p * bin));
    const [from, to] = samples > 0 ? [0, inBin] : samplesWithin(origin, bin / inBin, inBin, size);
    const all: Samples[] = [];
    for (let k = 0; k < to - from; k++) {
      const samples = sampleAt(f32(origin + f32(f32((from + k + 0.5) * bin) / inBin)), size);
      if (samples) all.push(samples);
    }
    return sumOf(all, 1 / inBin);
  });
}

/** Returns a range of samples of a bin that contains all in [-1, size], and a few more. */
function samplesWithin(origin: number, step: number, count: number, size: number): [number, number] {
  const low = Math.floor((-1 - origin) / step) - 2;
  const high = Math.ceil((size - origin) / step) + 2;
  const from = Math.max(0, Math.min(low, count));
  // Steps are longer than a half; for numbers too large for such differences, samples are meaningless.
  return [from, Math.max(0, Math.min(high, count, from + 2 * size + 8))];
}

/** A sample outside [-1, size] is ignored; below 0 it is clamped to 0, and beyond the last position to that. */
function sampleAt(at: number, size: number): Samples | undefined {
  if (!(at >= -1 && at <= size)) return undefined;
  const low = Math.floor(Math.max(at, 0));
  return between(low, f32(Math.max(at, 0) - low), size);
}

/**
 * One axis of a mask that is stretched over the span from `start` to `end` of an image: maps the centres of pixels into the
 * mask, with zeros outside. Only the pixels from floor(start) - 1 to ceil(end) + 1 are written.
 */
export function pastingMap(start: number, end: number, size: number, count: number): AxisMap {
  const [from, to] = pastedSpan(start, end, count);
  return mapOf(count, (pixel) =>
    pixel >= from && pixel < to ? pastedPixel(pixel, start, end, size) : NOTHING,
  );
}

/** Returns the range of pixels from 0 to count - 1 that a mask from `start` to `end` may reach; the end is exclusive. */
export function pastedSpan(start: number, end: number, count: number): [from: number, to: number] {
  const within = (pixel: number) => (pixel > 0 ? Math.min(pixel, count) : 0); // also maps NaN to 0
  return [within(Math.floor(start) - 1), within(Math.ceil(end) + 1)];
}

function pastedPixel(pixel: number, start: number, end: number, size: number): Samples {
  const ratio = f32(f32(f32(pixel + 0.5) - start) / f32(end - start));
  // A span of length 0 maps every pixel to the centre of the mask, except for the pixel that contains it, where this is NaN.
  const u = Math.abs(ratio) === Number.POSITIVE_INFINITY ? 0 : f32(f32(ratio * 2) - 1);
  const at = f32(f32(f32(f32(u + 1) * size) - 1) / 2);
  const low = Math.floor(at);
  const fraction = f32(at - low);
  const weights = [f32(1 - fraction), fraction];
  if (!(low >= -1 && low < size)) return NOTHING;
  if (low === -1) return { first: 0, weights: weights.slice(1) };
  return { first: low, weights: low === size - 1 ? weights.slice(0, 1) : weights };
}

/** Returns the weighted sum of samples. */
function sumOf(all: readonly Samples[], factor: number): Samples {
  if (all.length === 0) return NOTHING;
  let [first, end] = [Number.POSITIVE_INFINITY, 0];
  for (const samples of all) {
    first = Math.min(first, samples.first);
    end = Math.max(end, samples.first + samples.weights.length);
  }
  const weights = new Array<number>(end - first).fill(0);
  for (const samples of all) {
    samples.weights.forEach((weight, i) => {
      weights[samples.first - first + i] += factor * weight;
    });
  }
  return { first, weights };
}

/** Returns the transposed map: the contributions of each of `size` source positions to the results. */
export function transposedMap(map: AxisMap, size: number): AxisMap {
  const given: { position: number; weight: number }[][] = Array.from({ length: size }, () => []);
  map.forEach(({ first, weights }, position) => {
    weights.forEach((weight, i) => {
      if (weight !== 0) given[first + i].push({ position, weight });
    });
  });
  return given.map((parts) => {
    if (parts.length === 0) return NOTHING;
    const first = parts[0].position;
    const weights = new Array<number>(parts[parts.length - 1].position - first + 1).fill(0);
    for (const { position, weight } of parts) weights[position - first] = weight;
    return { first, weights };
  });
}
