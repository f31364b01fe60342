/**
 * Prepares a photograph for a model, as torchvision does in the authors' evaluation: `Resize(size, BICUBIC)` then
 * `CenterCrop(size)`. The model itself normalises by mean and deviation.
 */
import { roundHalfEven } from '../rounding.js';
import { resizeBicubic } from './resample.js';
import { checkExtent, checkRgbImage, type RgbImage } from './rgb_image.js';

/** A size in pixels. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** Returns the size of `fitImage`'s result: the short side `size` pixels, the long side `trunc(size * long / short)`. */
export function fittedExtent({ width, height }: Extent, size: number): Extent {
  const long = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: size, height: long } : { width: long, height: size };
}

/**
 * Resizes like torchvision's `Resize(size)`: the short side becomes `size` pixels, the long side
 * `trunc(size * long / short)`; nothing is cropped.
 */
export function fitImage(image: RgbImage, size: number): RgbImage {
  checkRgbImage('fitImage', image);
  checkExtent('fitImage', 'size', size);
  const { width, height } = fittedExtent(image, size);
  return resizeBicubic(image, width, height);
}

/**
 * Prepares a photograph for the model: `fitImage`, then the central square of `size` x `size` pixels. Only the pixels of
 * that square are computed.
 * @param image 8-bit RGB of at least 1 x 1 pixels.
 * @param preparation side of the square in pixels, or a model's `metadata.preprocessing`, which contains it.
 * @throws {Error} if the side is not an integer of at least 1.
 */
export function prepareImage(image: RgbImage, preparation: number | { readonly size: number }): RgbImage {
  const size = typeof preparation === 'object' && preparation !== null ? preparation.size : preparation;
  checkRgbImage('prepareImage', image);
  checkExtent('prepareImage', 'size', size);
  const { width, height } = fittedExtent(image, size);
  const left = roundHalfEven((width - size) / 2);
  const top = roundHalfEven((height - size) / 2);
  return resizeBicubic(image, width, height, { left, top, width: size, height: size });
}
