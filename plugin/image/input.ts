/** Converts images of all accepted kinds to the tensors that a model takes. */
import {
  cast,
  concat,
  dispose,
  expandDims,
  slice,
  Tensor,
  type Tensor3D,
  type Tensor4D,
  tensor4d,
  tidy,
  tile,
} from '@tensorflow/tfjs-core';
import { pixelTensor } from './pixel_tensor.js';
import { type Extent, fitImage, fittedExtent, prepareImage } from './prepare.js';
import { type DensePreparation, denseExtents, prepareDense } from './prepare_dense.js';
import { type ImageSource, type ReadOptions, readPixels } from './read.js';
import { checkExtent, checkPixels, type RgbImage, rgbBytes } from './rgb_image.js';

/**
 * Pixels from 0 to 255, float32 or int32, as from `tf.browser.fromPixels`: [H, W, C] or a batch [N, H, W, C]. C is 3 (RGB),
 * 1 (grey, repeated) or 4 (alpha is dropped).
 */
export type ImageTensor = Tensor3D | Tensor4D;

/** Error message for a NaN output. */
export const NOT_FINITE = 'the model answers NaN: the image or the weights hold values that are not finite';

/** An image of any accepted kind. A tensor of rank 4 is a batch of images. */
export type ImageInput = ImageTensor | ImageSource;

export interface InputOptions extends ReadOptions {
  /** False: the pixels are used as they are. Default true. */
  readonly prepare?: boolean;
}

/** An image as a model takes it: 8-bit pixels, or a tensor [N, H, W, 3] of several, float32, 0 to 255. */
export type ModelView = RgbImage | Tensor4D;

/**
 * Prepares an image for a model: `size` x `size` pixels; with `prepare: false` unchanged. A tensor
 * that already has the model's size is returned unchanged; other tensors are rounded to 8 bits, on which the resampling
 * works. The caller disposes a tensor.
 * @throws {Error} one line, if an image cannot be read, or a tensor has another shape or dtype or values that are not
 *   pixels.
 */
export async function toModelView(
  input: ImageInput,
  size: number,
  options: InputOptions,
): Promise<ModelView> {
  const prepare = options.prepare ?? true;
  if (!(input instanceof Tensor)) {
    const image = await readPixels(input, options);
    return prepare ? prepareImage(image, size) : image;
  }
  checkTensor(input);
  const pixels = asBatch(input);
  if (!prepare) return pixels;
  try {
    const [, height, width] = pixels.shape;
    const values = await pixels.data();
    checkValues(values);
    if (height === size && width === size) return pixels.clone();
    return pixelTensor(imagesOf(values, pixels.shape).map((image) => prepareImage(image, size)));
  } finally {
    pixels.dispose();
  }
}

/** Combines views of one size to a tensor [N, H, W, 3] in their order, and disposes their tensors. The caller disposes the result. */
export function batchOf(views: readonly ModelView[]): Tensor4D {
  const tensors: Tensor4D[] = [];
  let images: RgbImage[] = [];
  const take = () => {
    if (images.length > 0) tensors.push(pixelTensor(images));
    images = [];
  };
  for (const view of views) {
    if (!(view instanceof Tensor)) images.push(view);
    else {
      take();
      tensors.push(view);
    }
  }
  take();
  if (tensors.length === 1) return tensors[0];
  const batch = tidy(() => concat(tensors, 0));
  dispose(tensors);
  return batch;
}

/** One image for a dense prediction network. */
export interface DenseInput {
  /** [1, H, W, 3] float32, the network's input. The caller disposes it. */
  readonly input: Tensor4D;
  /** The graph node that it is fed to: prepared images are already normalised. */
  readonly node: 'normalized' | 'image';
  /** The given image in 8 bits. */
  readonly image: RgbImage;
  /** Size of the image within the network's input, from the upper left corner. */
  readonly content: Extent;
  /** `content` divided by the size of the given image: x, y, x, y. */
  readonly scaleFactor: readonly [number, number, number, number];
}

/**
 * Prepares one whole image, or converts it unchanged with `prepare: false`.
 * @param check throws if a network input of this size in pixels is too large, before tensors are created.
 * @throws {Error} as `toModelView`, and for a batch of more than one.
 */
export async function toDenseInput(
  given: ImageInput,
  preparation: DensePreparation,
  options: InputOptions,
  check: (extent: Extent) => void,
): Promise<DenseInput> {
  if (Array.isArray(given)) throw new Error(`expected one image, got a list of ${given.length}`);
  const prepare = options.prepare ?? true;
  const tensor = given instanceof Tensor ? oneInBatch(given) : undefined;
  try {
    const image = tensor ? await imageOf(tensor, prepare) : await readPixels(given as ImageSource, options);
    check(prepare ? denseExtents(image, preparation).padded : image);
    if (!prepare) {
      const input = tensor ? tensor.clone() : pixelTensor([image]);
      return { input, node: 'image', image, content: image, scaleFactor: [1, 1, 1, 1] };
    }
    const { values, width, height, content, scaleFactor } = prepareDense(image, preparation);
    const input = tensor4d(values, [1, height, width, 3]);
    return { input, node: 'normalized', image, content, scaleFactor };
  } finally {
    tensor?.dispose();
  }
}

async function imageOf(pixels: Tensor4D, isChecked: boolean): Promise<RgbImage> {
  const values = await pixels.data();
  if (isChecked) checkValues(values);
  return imagesOf(values, pixels.shape)[0];
}

/** Returns a tensor of one image, checked, as [1, H, W, 3]. */
function oneInBatch(image: Tensor): Tensor4D {
  checkTensor(image);
  if (image.rank === 4 && image.shape[0] !== 1) {
    throw new Error(`a batch of ${image.shape[0]} images was given, expected one image`);
  }
  return asBatch(image);
}

/** A whole image for the model. */
export interface WholeInput {
  /** [1, H, W, 3] float32, 0 to 255. The caller disposes it. */
  readonly input: Tensor4D;
  /** The same image in 8 bits. */
  readonly image: RgbImage;
  /** Size of the image in pixels before it was resized. */
  readonly given: Extent;
}

/**
 * Converts one whole image, unchanged or resized to a short side of `size` pixels.
 * @param check throws if an image of this size in pixels is too large, before tensors are created.
 * @throws {Error} as `toModelView`, and for a batch of more than one.
 */
export async function toWholeInput(
  image: ImageInput,
  size: number | undefined,
  options: ReadOptions,
  check: (extent: Extent) => void,
): Promise<WholeInput> {
  if (size !== undefined) checkExtent('size', 'the short side', size);
  const seen = (given: Extent) => (size === undefined ? given : fittedExtent(given, size));
  const fitted = (pixels: RgbImage) => (size === undefined ? pixels : fitImage(pixels, size));
  if (!(image instanceof Tensor)) {
    const pixels = await readPixels(image, options);
    check(seen(pixels));
    const { width, height } = pixels;
    const whole = fitted(pixels);
    return { input: pixelTensor([whole]), image: whole, given: { width, height } };
  }
  const pixels = oneInBatch(image);
  const [, height, width] = pixels.shape;
  try {
    check(seen({ width, height }));
    const values = await pixels.data();
    if (size !== undefined) checkValues(values);
    const whole = fitted(imagesOf(values, pixels.shape)[0]);
    // A tensor of the right size keeps its fractional values.
    const input = size === undefined ? pixels.clone() : pixelTensor([whole]);
    return { input, image: whole, given: { width, height } };
  } finally {
    pixels.dispose();
  }
}

/** @throws {Error} one line, unless a tensor has the shape and dtype of images with one of these numbers of channels. */
export function checkTensor(image: Tensor, channels = [3, 1, 4]): asserts image is ImageTensor {
  if (!(image instanceof Tensor))
    throw new Error(`expected a tensor [H, W, 3] or [N, H, W, 3], got ${String(image)}`);
  if (image.isDisposed) throw new Error('the tensor of the image has been disposed');
  const { rank, shape, dtype } = image;
  if ((rank !== 3 && rank !== 4) || !channels.includes(shape[rank - 1])) {
    throw new Error(`the image has shape [${shape.join(', ')}], expected [H, W, 3] or [N, H, W, 3]`);
  }
  if (dtype !== 'float32' && dtype !== 'int32') {
    throw new Error(`the image has dtype ${dtype}, expected float32 or int32 with values from 0 to 255`);
  }
  if (image.size === 0) {
    throw new Error(`the image has shape [${shape.join(', ')}]: it is empty, expected at least one pixel`);
  }
}

/** Converts a checked tensor to [N, H, W, 3] float32. */
export function asBatch(image: ImageTensor): Tensor4D {
  return tidy(() => {
    const batch = (image.rank === 3 ? expandDims(image) : image) as Tensor4D;
    const [count, height, width, channels] = batch.shape;
    const pixels = cast(batch, 'float32');
    if (channels === 1) return tile(pixels, [1, 1, 1, 3]);
    return channels === 4 ? slice(pixels, [0, 0, 0, 0], [count, height, width, 3]) : pixels.clone();
  });
}

/** @throws {Error} if values are not pixels: images in another range would silently give wrong classes. */
function checkValues(values: Float32Array | Int32Array | Uint8Array): void {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let isWhole = true;
  for (const value of values) {
    if (!Number.isFinite(value)) throw new Error(`the image holds ${value}, expected values from 0 to 255`);
    if (value < least) least = value;
    if (value > most) most = value;
    if (isWhole && !Number.isInteger(value)) isWhole = false;
  }
  const remedy = 'prepare: false takes them as they are';
  if (least <= -0.5 || most >= 255.5) {
    throw new Error(`the image holds values from ${least} to ${most}, expected 0 to 255 (${remedy})`);
  }
  if (most <= 1 && !isWhole) {
    throw new Error(
      `the image holds values from ${least} to ${most}, expected 0 to 255: multiply by 255 (${remedy})`,
    );
  }
}

/** Converts the values of a tensor [N, H, W, 3] to 8-bit images. */
function imagesOf(values: Float32Array | Int32Array | Uint8Array, shape: readonly number[]): RgbImage[] {
  const [count, height, width] = shape;
  checkPixels(width, height);
  const bytes = new Uint8ClampedArray(values.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.round(values[i]);
  return Array.from({ length: count }, (_, i) => {
    const data = bytes.subarray(i * height * width * 3, (i + 1) * height * width * 3);
    return { width, height, data: rgbBytes(data, 3) };
  });
}
