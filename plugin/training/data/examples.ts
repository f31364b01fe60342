/** Labelled images from which training draws batches. */
import { type RgbImage, rgbBytes } from '../../image/rgb_image.js';
import { type IdxArray, readIdx } from './idx.js';

/** How images are resized to squares of the model's size. */
export type Resizing =
  /** According to the model's metadata: short side resized, centre cropped. */
  | 'crop'
  /** The whole image, bilinear with half-pixel centres and without rounding to 8 bits, as for enlarging small digits. */
  | 'bilinear';

/** A set of labelled images. */
export interface Examples {
  /** Name of the set in errors. */
  readonly name: string;
  /** The class of each image, int32 [N], from 0. */
  readonly labels: Int32Array;
  /** One name per class; null if classes only have numbers. */
  readonly classNames: readonly string[] | null;
  readonly resizing: Resizing;
  /** @throws {Error} one line that names the image, if it cannot be read. */
  image(index: number): RgbImage | Promise<RgbImage>;
}

/** Returns the number of classes of a set: one more than the largest label if they have no names. */
export function classesOf({ labels, classNames }: Examples): number {
  return classNames?.length ?? labels.reduce((most, label) => Math.max(most, label), -1) + 1;
}

/** An image in memory and its class. */
export interface LabelledImage {
  readonly image: RgbImage;
  /** The name of its class. */
  readonly label: string;
}

/**
 * Creates examples from images in memory, for example drawn in a page.
 * @param classNames in the order of the classes; by default those of the images, sorted
 * @throws {Error} if an image's class is not among them, or there are no images.
 */
export function imageExamples(
  images: readonly LabelledImage[],
  {
    name = 'the images',
    classNames = namesOf(images.map(({ label }) => label)),
    resizing = 'crop',
  }: { name?: string; classNames?: readonly string[]; resizing?: Resizing } = {},
): Examples {
  if (images.length === 0) throw new Error(`${name}: expected at least one image`);
  const labels = images.map(({ label }) => label);
  return {
    name,
    labels: classIndices(name, labels, classNames),
    classNames,
    resizing,
    image: (index) => images[index].image,
  };
}

/** Returns the distinct class names of labels, sorted. */
export function namesOf(labels: readonly string[]): string[] {
  return [...new Set(labels)].sort();
}

/** @throws {Error} if a label is not among the names. */
export function classIndices(
  name: string,
  labels: readonly string[],
  classNames: readonly string[],
): Int32Array {
  const indices = new Map(classNames.map((each, i) => [each, i]));
  return Int32Array.from(labels, (label) => {
    const index = indices.get(label);
    if (index === undefined) {
      throw new Error(
        `${name}: the class ${JSON.stringify(label)} is not among ${classNames.length} known ones`,
      );
    }
    return index;
  });
}

/** The two files of a set in the format of MNIST. */
export interface IdxFiles {
  readonly images: { readonly name: string; readonly bytes: Uint8Array };
  readonly labels: { readonly name: string; readonly bytes: Uint8Array };
}

/**
 * Reads a set of grey images from idx files, plain or gzip-compressed.
 * @throws {Error} one line that names the file, as `readIdx`, and if images and labels do not match.
 */
export async function idxExamples(
  { images, labels }: IdxFiles,
  classNames: readonly string[] | null = null,
): Promise<Examples> {
  const classes = checkRank(labels.name, await readIdx(labels.name, labels.bytes), 1, 'labels [N]');
  const pixels = checkRank(images.name, await readIdx(images.name, images.bytes), 3, 'images [N, H, W]');
  const [count, height, width] = pixels.shape;
  if (count !== classes.shape[0]) {
    throw new Error(`${images.name} has ${count} images, ${labels.name} ${classes.shape[0]} labels`);
  }
  if (pixels.data.length === 0) {
    throw new Error(`${images.name}: sizes ${pixels.shape.join(' x ')}, expected at least one pixel`);
  }
  const known = classNames?.length ?? Number.POSITIVE_INFINITY;
  const wrong = classes.data.findIndex((label) => label >= known);
  if (wrong >= 0) {
    throw new Error(
      `${labels.name}: label ${wrong} is ${classes.data[wrong]}, there are names of ${known} classes`,
    );
  }
  const size = height * width;
  return {
    name: images.name,
    labels: Int32Array.from(classes.data),
    classNames,
    resizing: 'bilinear',
    image: (index) => ({
      width,
      height,
      data: rgbBytes(pixels.data.subarray(index * size, (index + 1) * size), 1),
    }),
  };
}

function checkRank(name: string, array: IdxArray, rank: number, expected: string): IdxArray {
  if (array.shape.length === rank) return array;
  throw new Error(`${name} has shape [${array.shape.join(', ')}], expected ${expected}`);
}

/** Returns the first `count` examples of a set. */
export function firstExamples(examples: Examples, count: number): Examples {
  return { ...examples, labels: examples.labels.subarray(0, count) };
}
