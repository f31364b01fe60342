/** Pictures with classes, which training draws batches from. */
import { type RgbImage, rgbBytes } from '../../image/rgb_image.js';
import { type IdxArray, readIdx } from './idx.js';

/** How pictures become squares of the model's size. */
export type Resizing =
  /** As the model's metadata say: the short side resized, the middle cut out. */
  | 'crop'
  /** The whole picture, bilinear with half-pixel centres and without rounding to 8 bits, as small digits are enlarged. */
  | 'bilinear';

/** A set of pictures with classes. */
export interface Examples {
  /** Names the set in errors. */
  readonly name: string;
  /** The class of each picture, int32 [N], from 0. */
  readonly labels: Int32Array;
  /** One name a class; null where classes are numbers only. */
  readonly classNames: readonly string[] | null;
  readonly resizing: Resizing;
  /** @throws {Error} one line that names the picture, when it cannot be read */
  picture(index: number): RgbImage | Promise<RgbImage>;
}

/** Classes of a set: one more than the largest label where they have no names. */
export function classesOf({ labels, classNames }: Examples): number {
  return classNames?.length ?? labels.reduce((most, label) => Math.max(most, label), -1) + 1;
}

/** A picture in memory and its class. */
export interface LabelledPicture {
  readonly picture: RgbImage;
  /** The name of its class. */
  readonly label: string;
}

/**
 * Pictures in memory, such as a person draws in a page.
 * @param classNames in the order of the classes; by default those of the pictures, sorted
 * @throws {Error} for a picture whose class is not among them, or no picture at all
 */
export function pictureExamples(
  pictures: readonly LabelledPicture[],
  {
    name = 'the pictures',
    classNames = namesOf(pictures.map(({ label }) => label)),
    resizing = 'crop',
  }: { name?: string; classNames?: readonly string[]; resizing?: Resizing } = {},
): Examples {
  if (pictures.length === 0) throw new Error(`${name}: expected at least one picture`);
  const labels = pictures.map(({ label }) => label);
  return {
    name,
    labels: classIndices(name, labels, classNames),
    classNames,
    resizing,
    picture: (index) => pictures[index].picture,
  };
}

/** The names of classes that labels have, sorted. */
export function namesOf(labels: readonly string[]): string[] {
  return [...new Set(labels)].sort();
}

/** @throws {Error} for a label that is not among the names */
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

/** The two files of a set such as MNIST's. */
export interface IdxFiles {
  readonly images: { readonly name: string; readonly bytes: Uint8Array };
  readonly labels: { readonly name: string; readonly bytes: Uint8Array };
}

/**
 * A set of grey pictures in idx files, plain or compressed with gzip.
 * @throws {Error} one line that names the file, as `readIdx` does, and where pictures and labels do not match
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
    picture: (index) => ({
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

/** The first pictures of a set. */
export function firstExamples(examples: Examples, count: number): Examples {
  return { ...examples, labels: examples.labels.subarray(0, count) };
}
