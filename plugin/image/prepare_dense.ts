/**
 * Prepares a photograph for a segmenter or detector, as in the test pipelines of mmsegmentation and mmdetection: resized
 * with its aspect ratio preserved, normalised, then padded with zeros.
 */
import type { Extent } from './prepare.js';
import { resizeBilinear } from './resize_bilinear.js';
import { checkRgbImage, type RgbImage } from './rgb_image.js';

/** The fields of a model's `metadata.preprocessing` that determine how images are prepared. */
export interface DensePreparation {
  /** The image is resized to the largest size whose long and short side do not exceed these, in pixels. */
  readonly scale: readonly [long: number, short: number];
  /** A second resize, to the next multiples of this, without preserving the aspect ratio; null for none. */
  readonly multipleOf: number | null;
  /** Zero padding after normalisation, on the right and at the bottom, to multiples of this; 1 for none. */
  readonly padTo: number;
  /** For values from 0 to 1: three numbers each. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** An image prepared for a network. */
export interface DenseImage extends Extent {
  /** float32 [height, width, 3]: normalised, 0 in the padding. */
  readonly values: Float32Array;
  /** Size of the image within it, from the upper left corner. */
  readonly content: Extent;
  /** `content` divided by the size of the given image: x, y, x, y. float32. */
  readonly scaleFactor: readonly [number, number, number, number];
}

/** Sizes of an image at each step of preparation, in pixels. */
export interface DenseExtents {
  /** After the resize that preserves the aspect ratio. */
  readonly kept: Extent;
  /** After the second resize: the image within the network's input. */
  readonly content: Extent;
  /** After padding: the network's input. */
  readonly padded: Extent;
}

/** Computes these sizes for an image of `given` pixels; every side is at least 1. */
export function denseExtents(given: Extent, preparation: DensePreparation): DenseExtents {
  const { scale, multipleOf, padTo } = preparation;
  const { width, height } = given;
  const factor = Math.min(scale[0] / Math.max(width, height), scale[1] / Math.min(width, height));
  const side = (pixels: number) => Math.max(1, Math.floor(pixels * factor + 0.5));
  const kept = { width: side(width), height: side(height) };
  const content = multipleOf === null ? kept : roundedUp(kept, multipleOf);
  return { kept, content, padded: roundedUp(content, padTo) };
}

/** Prepares an image for a network. */
export function prepareDense(image: RgbImage, preparation: DensePreparation): DenseImage {
  checkRgbImage('prepareDense', image);
  const { kept, content, padded } = denseExtents(image, preparation);
  const resized = resize(resize(image, kept), content);
  const [x, y] = [Math.fround(kept.width / image.width), Math.fround(kept.height / image.height)];
  return {
    ...padded,
    values: normalized(resized, padded, preparation),
    content,
    scaleFactor: [x, y, x, y],
  };
}

function resize(image: RgbImage, { width, height }: Extent): RgbImage {
  return width === image.width && height === image.height ? image : resizeBilinear(image, width, height);
}

function roundedUp({ width, height }: Extent, multiple: number): Extent {
  const side = (pixels: number) => Math.ceil(pixels / multiple) * multiple;
  return { width: side(width), height: side(height) };
}

/**
 * Normalises here and not in the graph, because the padding must be 0 afterwards. In float32, with the subtraction and the
 * division each rounded, as in the original libraries (`input` of the fixtures).
 */
function normalized(image: RgbImage, padded: Extent, { mean, deviation }: DensePreparation): Float32Array {
  const values = new Float32Array(padded.width * padded.height * 3);
  for (let c = 0; c < 3; c++) {
    const [middle, scale] = [Math.fround(mean[c] * 255), Math.fround(deviation[c] * 255)];
    const table = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte - middle) / scale);
    for (let y = 0; y < image.height; y++) {
      const [from, to] = [y * image.width * 3 + c, y * padded.width * 3 + c];
      for (let x = 0; x < image.width * 3; x += 3) values[to + x] = table[image.data[from + x]];
    }
  }
  return values;
}
