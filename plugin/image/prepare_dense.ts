/**
 * From a photograph to what a segmenter or detector sees, as the test pipelines of mmsegmentation and mmdetection do it:
 * resized with its ratio kept, normalised, then padded with zeros.
 */
import type { Extent } from './prepare.js';
import { resizeBilinear } from './resize_bilinear.js';
import { checkRgbImage, type RgbImage } from './rgb_image.js';

/** Of a model's `metadata.preprocessing`: how its pictures are prepared. */
export interface DensePreparation {
  /** The picture gets the largest size whose long and short side stay within these, pixels. */
  readonly scale: readonly [long: number, short: number];
  /** A second resize, to the next multiples of this, without keeping the ratio; null for none. */
  readonly multipleOf: number | null;
  /** Zeros after normalisation, right and bottom, to multiples of this; 1 for none. */
  readonly padTo: number;
  /** Of values from 0 to 1: three numbers each. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** A picture as a network takes it. */
export interface DensePicture extends Extent {
  /** float32 [height, width, 3]: normalised, 0 where it is padded. */
  readonly values: Float32Array;
  /** What of it is picture, from the upper left corner. */
  readonly content: Extent;
  /** `content` over the size of the picture that was given: x, y, x, y. float32. */
  readonly scaleFactor: readonly [number, number, number, number];
}

/** The sizes on the way of a picture into a network, pixels. */
export interface DenseExtents {
  /** After the resize that keeps the ratio. */
  readonly kept: Extent;
  /** After the second resize: the picture in the network's input. */
  readonly content: Extent;
  /** With the padding: the network's input. */
  readonly padded: Extent;
}

/** Sizes of a picture of `given` pixels; no side gets below 1. */
export function denseExtents(given: Extent, preparation: DensePreparation): DenseExtents {
  const { scale, multipleOf, padTo } = preparation;
  const { width, height } = given;
  const factor = Math.min(scale[0] / Math.max(width, height), scale[1] / Math.min(width, height));
  const side = (pixels: number) => Math.max(1, Math.floor(pixels * factor + 0.5));
  const kept = { width: side(width), height: side(height) };
  const content = multipleOf === null ? kept : roundedUp(kept, multipleOf);
  return { kept, content, padded: roundedUp(content, padTo) };
}

/** A picture prepared for a network. */
export function prepareDense(image: RgbImage, preparation: DensePreparation): DensePicture {
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
 * Mean and deviation are taken out here and not by the graph, since what is padded has to be 0 afterwards. In float32,
 * subtraction and division each rounded: the numbers of the libraries (`input` of the fixtures).
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
