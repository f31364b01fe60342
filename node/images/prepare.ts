/**
 * From a photograph to what a model sees, as torchvision does it in the authors' evaluation:
 * `Resize(size, BICUBIC)` then `CenterCrop(size)`. Mean and deviation are taken out by the model itself.
 */
import { resizeBicubic } from './resample.js';
import { checkExtent, checkRgbImage, type RgbImage } from './rgb_image.js';

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * torchvision's `Resize(size)`: the short side becomes `size` pixels, the long side
 * `trunc(size * long / short)`; nothing is cut off.
 */
export function fitImage(image: RgbImage, size: number): RgbImage {
  checkRgbImage('fitImage', image);
  checkExtent('fitImage', 'size', size);
  const { width, height } = image;
  const long = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? resizeBicubic(image, size, long) : resizeBicubic(image, long, size);
}

/** The middle `size` x `size` pixels of an image with both sides at least `size`. */
function centreCrop(image: RgbImage, size: number): RgbImage {
  const top = roundHalfEven((image.height - size) / 2);
  const left = roundHalfEven((image.width - size) / 2);
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const begin = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(begin, begin + size * 3), y * size * 3);
  }
  return { width: size, height: size, data };
}

/**
 * The model's view of a photograph: `fitImage`, then the middle square of `size` x `size` pixels.
 * Throws `Error` when `size` is not a whole number of at least 1.
 */
export function prepareImage(image: RgbImage, size: number): RgbImage {
  return centreCrop(fitImage(image, size), size);
}
