/**
 * Random augmentation of training images, as in the authors' training (timm's `create_transform`): a crop of random area and
 * aspect ratio, mirroring, colour jitter, and random erasing. RandAugment is not included.
 */
import { type Rectangle, resizeBicubic } from '../../image/resample.js';
import type { RgbImage } from '../../image/rgb_image.js';
import type { RandomNumbers } from '../../random.js';

export interface Augmentation {
  /** Minimum and maximum fraction of the image's area in a crop; default 0.08 and 1. */
  readonly area?: readonly [number, number];
  /** Whether half of the images are mirrored; default true. */
  readonly mirror?: boolean;
  /** Maximum change c of brightness, contrast and saturation, as a factor from 1 - c to 1 + c; default 0.4. */
  readonly colour?: number;
  /** Probability that a rectangle is replaced by noise; default 0.25. */
  readonly erase?: number;
}

export const AUGMENTATION: Required<Augmentation> = {
  area: [0.08, 1],
  mirror: true,
  colour: 0.4,
  erase: 0.25,
};

/** Range of aspect ratios (width / height) of a crop. */
const CROP_RATIO = [3 / 4, 4 / 3] as const;
const CROP_ATTEMPTS = 10;
/** Ranges of the erased fraction of the image, and of the aspect ratio of the erased rectangle. */
const ERASED_AREA = [0.02, 1 / 3] as const;
const ERASED_RATIO = [0.3, 1 / 0.3] as const;
const ERASE_ATTEMPTS = 10;

/** Returns an augmented square of `size` x `size` pixels from a random part of an image. */
export function augmentImage(
  image: RgbImage,
  size: number,
  { area, mirror, colour }: Required<Augmentation>,
  random: RandomNumbers,
): RgbImage {
  const part = randomCrop(image, area, random);
  const square = resizeBicubic(resizeBicubic(image, image.width, image.height, part), size, size);
  if (mirror && random.next() < 0.5) mirrorRows(square);
  if (colour > 0) jitterColours(square, colour, random);
  return square;
}

/** torchvision's `RandomResizedCrop`: a rectangle of random area and aspect ratio, or the largest with an allowed ratio. */
export function randomCrop(
  { width, height }: { readonly width: number; readonly height: number },
  [least, most]: readonly [number, number],
  random: RandomNumbers,
): Rectangle {
  for (let attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
    const pixels = width * height * between(random, least, most);
    const ratio = Math.exp(between(random, Math.log(CROP_RATIO[0]), Math.log(CROP_RATIO[1])));
    const [w, h] = [Math.round(Math.sqrt(pixels * ratio)), Math.round(Math.sqrt(pixels / ratio))];
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { left: random.integer(0, width - w), top: random.integer(0, height - h), width: w, height: h };
  }
  const ratio = Math.min(Math.max(width / height, CROP_RATIO[0]), CROP_RATIO[1]);
  const w = Math.max(1, Math.min(width, Math.round(height * ratio)));
  const h = Math.max(1, Math.min(height, Math.round(width / ratio)));
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}

/**
 * timm's `RandomErasing` in mode 'pixel': replaces a rectangle of the image by normal noise.
 * @param values float32 [size, size, 3], 0 to 255, modified in place
 * @param mean with `deviation`, those of each channel for values from 0 to 1, by which the model normalises
 */
export function eraseRectangle(
  values: Float32Array,
  size: number,
  { mean, deviation }: { readonly mean: readonly number[]; readonly deviation: readonly number[] },
  random: RandomNumbers,
): void {
  for (let attempt = 0; attempt < ERASE_ATTEMPTS; attempt++) {
    const pixels = size * size * between(random, ...ERASED_AREA);
    const ratio = Math.exp(between(random, Math.log(ERASED_RATIO[0]), Math.log(ERASED_RATIO[1])));
    const [height, width] = [Math.round(Math.sqrt(pixels * ratio)), Math.round(Math.sqrt(pixels / ratio))];
    if (width < 1 || height < 1 || width >= size || height >= size) continue;
    const [left, top] = [random.integer(0, size - width), random.integer(0, size - height)];
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) {
        for (let c = 0; c < 3; c++) {
          values[(y * size + x) * 3 + c] = 255 * (mean[c] + deviation[c] * random.normal());
        }
      }
    }
    return;
  }
}

function between(random: RandomNumbers, low: number, high: number): number {
  return low + (high - low) * random.next();
}

function mirrorRows({ data, width, height }: RgbImage): void {
  for (let y = 0; y < height; y++) {
    for (let left = 0, right = width - 1; left < right; left++, right--) {
      for (let c = 0; c < 3; c++) {
        const [a, b] = [(y * width + left) * 3 + c, (y * width + right) * 3 + c];
        [data[a], data[b]] = [data[b], data[a]];
      }
    }
  }
}

const LUMA = [0.299, 0.587, 0.114] as const;

/** Changes brightness, contrast and saturation in a random order, each rounded to 8 bits as in PIL. */
function jitterColours(image: RgbImage, most: number, random: RandomNumbers): void {
  const { data } = image;
  const factor = () => between(random, Math.max(0, 1 - most), 1 + most);
  const luma = (i: number) => LUMA[0] * data[i] + LUMA[1] * data[i + 1] + LUMA[2] * data[i + 2];
  const blend = (share: number, base: (i: number) => number) => {
    for (let i = 0; i < data.length; i += 3) {
      const other = base(i);
      for (let c = 0; c < 3; c++) {
        data[i + c] = Math.min(255, Math.max(0, Math.round(other + share * (data[i + c] - other))));
      }
    }
  };
  const meanLuma = () => {
    let sum = 0;
    for (let i = 0; i < data.length; i += 3) sum += luma(i);
    return Math.round((3 * sum) / data.length);
  };
  const changes = [
    () => blend(factor(), () => 0),
    () => {
      const mean = meanLuma();
      blend(factor(), () => mean);
    },
    () => blend(factor(), luma),
  ];
  for (let left = changes.length; left > 0; left--) changes.splice(random.integer(0, left - 1), 1)[0]();
}

/** @throws {Error} that names the invalid option. */
export function checkAugmentation({ area, colour, erase }: Required<Augmentation>): void {
  const isShare = (value: number) => value >= 0 && value <= 1;
  if (!(area[0] > 0 && area[0] <= area[1] && area[1] <= 1)) {
    throw new Error(`area is ${area.join(' to ')}, expected shares from above 0 to 1, the least first`);
  }
  if (!isShare(colour)) throw new Error(`colour is ${colour}, expected a number from 0 to 1`);
  if (!isShare(erase)) throw new Error(`erase is ${erase}, expected a probability`);
}
