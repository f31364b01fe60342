/**
 * Bicubic resampling with antialiasing, as PIL does it.
 *
 * Models were trained on images resized by PIL's `Image.resize(..., BICUBIC)`. Canvas and image libraries do not antialias,
 * use another cubic (a = -0.75) or round differently, which changes logits by more than all float32 rounding of the network.
 * So this file is bit-identical with Pillow for 8-bit RGB.
 *
 * The filter is Keys' cubic convolution kernel (R. Keys, "Cubic convolution interpolation for digital image processing",
 * 1981) with a = -0.5, stretched by the scale factor when shrinking.
 */
import { checkExtent, checkRgbImage, type RgbImage } from './rgb_image.js';

/** Half the width of the cubic kernel, in source pixels at scale 1. */
const CUBIC_SUPPORT = 2;
const CUBIC_A = -0.5;

/** 8 bits of pixel and 2 bits of headroom for overshoot leave 22 fractional bits in an int32 sum. */
const FRACTION_BITS = 32 - 8 - 2;

/** Maximum number of weights held at a time, so that a side of millions of pixels needs no table of its own size. */
const MAX_WEIGHTS = 1 << 20;

/** Output samples of one axis: `from <= i < to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A rectangle of pixels. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Source samples and weights of each output sample of a span. */
export interface ResampleWeights {
  /** First source sample of each output sample. */
  first: Int32Array;
  /** Number of source samples of each output sample. */
  count: Int32Array;
  /** Weights of output sample i of the span at `i * stride ... + count[i]`; they sum to 1. */
  weights: Float64Array;
  stride: number;
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * CUBIC_A;
  return 0;
}

/** When shrinking, the kernel covers as many source pixels as one output pixel does, which is the antialiasing. */
function kernelOf(inputSize: number, outputSize: number) {
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const support = CUBIC_SUPPORT * stretch;
  const sourceOf = (i: number): Span => {
    const centre = (i + 0.5) * scale;
    return {
      from: Math.max(0, Math.trunc(centre - support + 0.5)),
      to: Math.min(inputSize, Math.trunc(centre + support + 0.5)),
    };
  };
  return { scale, stretch, stride: Math.ceil(support) * 2 + 1, sourceOf };
}

/**
 * Computes the weights that resample an axis of `inputSize` samples to `outputSize` samples, with pixel edges aligned; only for
 * the output samples of `span`.
 */
export function bicubicWeights(
  inputSize: number,
  outputSize: number,
  span: Span = { from: 0, to: outputSize },
): ResampleWeights {
  const { scale, stretch, stride, sourceOf } = kernelOf(inputSize, outputSize);
  const samples = span.to - span.from;
  const first = new Int32Array(samples);
  const count = new Int32Array(samples);
  const weights = new Float64Array(samples * stride);
  for (let i = 0; i < samples; i++) {
    const centre = (span.from + i + 0.5) * scale;
    const { from, to } = sourceOf(span.from + i);
    let sum = 0;
    for (let s = from; s < to; s++) {
      const weight = cubic((s - centre + 0.5) / stretch);
      weights[i * stride + s - from] = weight;
      sum += weight;
    }
    for (let k = 0; k < to - from; k++) weights[i * stride + k] /= sum;
    first[i] = from;
    count[i] = to - from;
  }
  return { first, count, weights, stride };
}

/** Converts weights to signed fixed point, rounded half away from zero. */
function fixedPoint(weights: Float64Array): Int32Array {
  const one = 2 ** FRACTION_BITS;
  const fixed = new Int32Array(weights.length);
  for (let i = 0; i < fixed.length; i++)
    fixed[i] = Math.trunc(weights[i] * one + (weights[i] < 0 ? -0.5 : 0.5));
  return fixed;
}

/**
 * Uint8 data viewed as [outer, axis, inner], with `inner` whole pixels; `axis` holds the samples of `present`, of an axis of
 * `inputSize`.
 */
interface Plane {
  readonly data: Uint8Array;
  readonly outer: number;
  readonly inner: number;
  readonly present: Span;
}

/**
 * One pass of the separable filter: computes the output samples of `span` for an axis resampled from `inputSize` to
 * `outputSize`. Every row of `inner` neighbouring bytes shares its weights; the three of a pixel are summed together.
 */
function resamplePass(plane: Plane, inputSize: number, outputSize: number, span: Span): Uint8Array {
  const { data, outer, inner, present } = plane;
  const samples = span.to - span.from;
  const result = new Uint8ClampedArray(outer * samples * inner);
  const half = 1 << (FRACTION_BITS - 1);
  const rowLength = (present.to - present.from) * inner;
  const block = Math.max(1, Math.floor(MAX_WEIGHTS / kernelOf(inputSize, outputSize).stride));
  for (let from = span.from; from < span.to; from += block) {
    const to = Math.min(span.to, from + block);
    const { first, count, weights, stride } = bicubicWeights(inputSize, outputSize, { from, to });
    const fixed = fixedPoint(weights);
    for (let o = 0; o < outer; o++) {
      let at = (o * samples + from - span.from) * inner;
      for (let i = 0; i < to - from; i++) {
        const begin = o * rowLength + (first[i] - present.from) * inner;
        const terms = count[i];
        const start = i * stride;
        if (terms === 4) {
          // The case of all samples but the edges when an image is enlarged.
          const [first, second, third, fourth] = [
            fixed[start],
            fixed[start + 1],
            fixed[start + 2],
            fixed[start + 3],
          ];
          for (let s = begin; s < begin + inner; s++) {
            const near = Math.imul(data[s + inner], second) + Math.imul(data[s + 2 * inner], third);
            const far = Math.imul(data[s], first) + Math.imul(data[s + 3 * inner], fourth);
            result[at++] = (half + near + far) >> FRACTION_BITS;
          }
          continue;
        }
        for (let c = begin; c < begin + inner; c += 3) {
          let [red, green, blue] = [half, half, half];
          for (let k = start, s = c; k < start + terms; k++, s += inner) {
            const weight = fixed[k];
            red += Math.imul(data[s], weight);
            green += Math.imul(data[s + 1], weight);
            blue += Math.imul(data[s + 2], weight);
          }
          result[at++] = red >> FRACTION_BITS;
          result[at++] = green >> FRACTION_BITS;
          result[at++] = blue >> FRACTION_BITS;
        }
      }
    }
  }
  return new Uint8Array(result.buffer);
}

/** Copies the pixels inside `part`. */
function cut(image: RgbImage, { left, top, width, height }: Rectangle): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const begin = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(begin, begin + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/**
 * Resizes to `width` x `height`, bit-identical with Pillow's `image.resize((width, height), BICUBIC)`, and returns the
 * pixels inside `part` of the result (all of them by default). Only the source pixels that `part` depends on are read, and
 * memory is bounded by `part`, whatever `width` and `height` are. The horizontal pass runs first and its result is rounded
 * to uint8. A side whose size does not change is copied.
 *
 * @throws {Error} if a size is not an integer of at least 1, or `part` is not inside the result.
 */
export function resizeBicubic(
  image: RgbImage,
  width: number,
  height: number,
  part: Rectangle = { left: 0, top: 0, width, height },
): RgbImage {
  checkRgbImage('resizeBicubic', image);
  checkExtent('resizeBicubic', 'width', width);
  checkExtent('resizeBicubic', 'height', height);
  checkPart(part, width, height);
  const columns = { from: part.left, to: part.left + part.width };
  const rows = { from: part.top, to: part.top + part.height };
  const { sourceOf } = kernelOf(image.height, height);
  const sourceRows =
    height === image.height ? rows : { from: sourceOf(rows.from).from, to: sourceOf(rows.to - 1).to };
  let strip: RgbImage;
  if (width === image.width) {
    strip = cut(image, { ...part, top: sourceRows.from, height: sourceRows.to - sourceRows.from });
  } else {
    const plane: Plane = {
      data: image.data.subarray(sourceRows.from * image.width * 3, sourceRows.to * image.width * 3),
      outer: sourceRows.to - sourceRows.from,
      inner: 3,
      present: { from: 0, to: image.width },
    };
    strip = {
      width: part.width,
      height: plane.outer,
      data: resamplePass(plane, image.width, width, columns),
    };
  }
  if (height === image.height) return strip;
  const plane: Plane = { data: strip.data, outer: 1, inner: part.width * 3, present: sourceRows };
  return {
    width: part.width,
    height: part.height,
    data: resamplePass(plane, image.height, height, rows),
  };
}

function checkPart(part: Rectangle, width: number, height: number): void {
  for (const key of ['width', 'height'] as const) checkExtent('resizeBicubic', `part.${key}`, part[key]);
  const { left, top } = part;
  const inside = left >= 0 && top >= 0 && left + part.width <= width && top + part.height <= height;
  if (!inside || !Number.isInteger(left) || !Number.isInteger(top)) {
    throw new Error(
      `resizeBicubic: the part of ${part.width}x${part.height} at ${left},${top} is not inside ${width}x${height}`,
    );
  }
}
