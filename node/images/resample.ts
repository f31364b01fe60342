/**
 * Bicubic resampling with antialiasing, as PIL does it.
 *
 * A model was trained on pictures that went through PIL's `Image.resize(..., BICUBIC)`. Canvas and image
 * libraries do not antialias, use another cubic (a = -0.75) or round elsewhere, which moves logits by more
 * than all float32 rounding of the network. So this file is bit-identical with Pillow for 8-bit RGB.
 *
 * The filter is Keys' cubic convolution kernel (R. Keys, "Cubic convolution interpolation for digital image
 * processing", 1981) with a = -0.5, stretched by the scale factor when shrinking.
 */
import { checkExtent, checkRgbImage, type RgbImage } from './rgb_image.js';

/** Half width of the cubic kernel, in source pixels at scale 1. */
const CUBIC_SUPPORT = 2;
const CUBIC_A = -0.5;

/** 8 bits of pixel and 2 bits of headroom for overshoot leave 22 fractional bits in an int32 sum. */
const FRACTION_BITS = 32 - 8 - 2;

/** Which source samples make up each output sample of one axis, and with what weights. */
export interface ResampleTaps {
  /** First source sample of each output sample. */
  first: Int32Array;
  /** Number of source samples of each output sample. */
  count: Int32Array;
  /** Weights of output sample i at `i * stride ... + count[i]`; they sum to 1. */
  weights: Float64Array;
  stride: number;
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * CUBIC_A;
  return 0;
}

/** The taps that bring an axis of `inputSize` samples to `outputSize` samples, pixel edges aligned. */
export function bicubicTaps(inputSize: number, outputSize: number): ResampleTaps {
  const scale = inputSize / outputSize;
  // Antialiasing: when shrinking, the kernel covers as many source pixels as one output pixel stands for.
  const stretch = Math.max(scale, 1);
  const support = CUBIC_SUPPORT * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Float64Array(outputSize * stride);
  for (let i = 0; i < outputSize; i++) {
    const centre = (i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(inputSize, Math.trunc(centre + support + 0.5));
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

/** Weights as signed fixed point, rounded half away from zero. */
function fixedPoint(weights: Float64Array): Int32Array {
  const one = 2 ** FRACTION_BITS;
  return Int32Array.from(weights, (weight) => Math.trunc(weight * one + (weight < 0 ? -0.5 : 0.5)));
}

/**
 * One pass of the separable filter over uint8 data seen as [outer, axis, inner].
 * Every row of `inner` neighbouring bytes shares its taps.
 */
function resamplePass(
  source: Uint8Array,
  outer: number,
  inputSize: number,
  outputSize: number,
  inner: number,
): Uint8Array {
  const { first, count, weights, stride } = bicubicTaps(inputSize, outputSize);
  const fixed = fixedPoint(weights);
  const result = new Uint8Array(outer * outputSize * inner);
  const half = 1 << (FRACTION_BITS - 1);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < outputSize; i++) {
      const begin = (o * inputSize + first[i]) * inner;
      const taps = count[i];
      const tap = i * stride;
      for (let c = 0; c < inner; c++) {
        let sum = half;
        for (let k = 0, s = begin + c; k < taps; k++, s += inner) sum += source[s] * fixed[tap + k];
        result[at++] = Math.max(0, Math.min(255, sum >> FRACTION_BITS));
      }
    }
  }
  return result;
}

/**
 * Resizes to `width` x `height`, bit-identical with Pillow's `image.resize((width, height), BICUBIC)`.
 * The horizontal pass runs first and its result is rounded to uint8. A size that does not change is copied.
 *
 * Throws `Error` when a size is not a whole number of at least 1.
 */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  checkRgbImage('resizeBicubic', image);
  checkExtent('resizeBicubic', 'width', width);
  checkExtent('resizeBicubic', 'height', height);
  let data = image.data;
  if (width !== image.width) data = resamplePass(data, image.height, image.width, width, 3);
  if (height !== image.height) data = resamplePass(data, 1, image.height, height, width * 3);
  return { width, height, data: data === image.data ? data.slice() : data };
}
