/**
 * Scenes to train segmenters and detectors on: handwritten digits of MNIST, coloured and scaled, on crops of photographs,
 * with the truth of every pixel and of every digit. The same seed gives the same scenes.
 *
 * Training and evaluation share nothing: one has MNIST's training images on the left of both photographs, the other its
 * test images on the right.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readImage } from '../../node/index.js';
import type { RgbImage } from '../../plugin/index.js';
import { type Examples, idxExamples, imageExamples, RandomNumbers } from '../../plugin/training/index.js';

export type Part = 'training' | 'evaluation';

/** A digit of a scene. Of one that another covers in part, what is left to be seen. */
export interface SceneInstance {
  /** 0 to 9 */
  readonly label: number;
  /** Bounds of the visible pixels; right and bottom are the first column and row beyond. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** uint8 [height, width]: 1 where the digit is visible. */
  readonly mask: Uint8Array;
}

export interface Scene {
  readonly image: RgbImage;
  /** int32 [height, width]: 0 for the background, digit + 1. */
  readonly classMap: Int32Array;
  readonly instances: readonly SceneInstance[];
}

/** What scenes are composed of. */
export interface SceneSource {
  readonly digits: Examples;
  /** At least MOST_ZOOM times as large as the scenes. */
  readonly backgrounds: readonly RgbImage[];
}

export interface SceneOptions {
  /** Width and height, pixels; default 128. */
  readonly size?: number;
}

export const DIGIT_NAMES: readonly string[] = Array.from({ length: 10 }, (_, digit) => `${digit}`);
/** The classes of a class map. */
export const CLASS_NAMES: readonly string[] = ['background', ...DIGIT_NAMES];
export const SCENE_SIZE = 128;

const IDX_NAMES = { training: 'train', evaluation: 't10k' } as const;
const EXAMPLES = fileURLToPath(new URL('..', import.meta.url));
const PHOTOGRAPHS = ['astronaut.png', 'chelsea.png'];
/** Columns of a photograph: those before are for training, those from here on for evaluation. */
const FIRST_EVALUATION_COLUMN = 288;

/** Digits of a scene. */
const [FEWEST, MOST] = [2, 5];
/** Long side of a digit in pixels, of a scene of SCENE_SIZE. */
const [SMALLEST, LARGEST] = [24, 56];
/** Of the smaller of two digits' boxes. */
const MOST_OVERLAP = 0.15;
const PLACEMENTS = 50;
/** Distance of a digit's colour from the mean behind it, in RGB of 0 to 255. */
const LEAST_CONTRAST = 110;
/** Side of a background's crop over that of the scene. */
const MOST_ZOOM = 1.25;
/** MNIST's digits fill 20 pixels of 28 along their long side. */
const LONG_SIDE = 20;

/** @param folder with the idx files of MNIST, as published, unpacked */
export async function openScenes(folder: string, part: Part): Promise<SceneSource> {
  const [images, labels] = await Promise.all(
    ['images-idx3', 'labels-idx1'].map(async (kind) => {
      const name = join(folder, `${IDX_NAMES[part]}-${kind}-ubyte`);
      return { name, bytes: await readFile(name) };
    }),
  );
  return { digits: await idxExamples({ images, labels }), backgrounds: await backgroundsOf(part) };
}

/** Evaluation scenes of the digits in examples/digits, which are test images: few, but no file has to be fetched. */
export async function openBundledScenes(): Promise<SceneSource> {
  const folder = join(EXAMPLES, 'digits');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.png')).sort();
  const images = files.map(async (name) => ({
    image: await readImage(join(folder, name)),
    label: basename(name, '.png').slice(-1),
  }));
  const digits = imageExamples(await Promise.all(images), { classNames: DIGIT_NAMES });
  return { digits, backgrounds: await backgroundsOf('evaluation') };
}

/** The part of the photographs that scenes of this part have behind their digits. */
export async function backgroundsOf(part: Part): Promise<RgbImage[]> {
  const photographs = PHOTOGRAPHS.map((name) => readImage(join(EXAMPLES, 'photos', name)));
  return (await Promise.all(photographs)).map(({ width, height, data }) => {
    const [from, to] = part === 'training' ? [0, FIRST_EVALUATION_COLUMN] : [FIRST_EVALUATION_COLUMN, width];
    const columns = new Uint8Array((to - from) * height * 3);
    for (let y = 0; y < height; y++) {
      const row = data.subarray((y * width + from) * 3, (y * width + to) * 3);
      columns.set(row, y * (to - from) * 3);
    }
    return { width: to - from, height, data: columns };
  });
}

/** Scene `index` of a seed, whichever others are composed. */
export function sceneOf(
  source: SceneSource,
  seed: number,
  index: number,
  options?: SceneOptions,
): Promise<Scene> {
  return composeScene(source, RandomNumbers.stream(seed, `scene ${index}`), options);
}

/** Draws 2 to 5 digits on a background; later ones cover earlier ones, by little. */
export async function composeScene(
  { digits, backgrounds }: SceneSource,
  random: RandomNumbers,
  { size = SCENE_SIZE }: SceneOptions = {},
): Promise<Scene> {
  const image = randomBackground(backgrounds, size, random);
  /** Which digit each pixel shows; 0: none. */
  const owners = new Uint8Array(size * size);
  const placed: { label: number; box: Box }[] = [];
  const count = random.integer(FEWEST, MOST);
  for (let attempt = 0; placed.length < count && attempt < PLACEMENTS; attempt++) {
    const index = random.integer(0, digits.labels.length - 1);
    const scale = (between(random, SMALLEST, LARGEST) / LONG_SIDE) * (size / SCENE_SIZE);
    const ink = inkOf(await digits.image(index));
    const [width, height] = [Math.round(ink.width * scale), Math.round(ink.height * scale)];
    if (width < 1 || height < 1 || width > size || height > size) continue;
    const [left, top] = [random.integer(0, size - width), random.integer(0, size - height)];
    const box = { left, top, width, height };
    if (placed.some((other) => overlap(other.box, box) > MOST_OVERLAP)) continue;
    placed.push({ label: digits.labels[index], box });
    drawDigit(image, owners, ink, box, placed.length, random);
  }
  const instances = placed
    .map(({ label }, i) => visiblePart(owners, size, i + 1, label))
    .filter(({ mask }) => mask.includes(1));
  const classMap = new Int32Array(owners.map((owner) => (owner === 0 ? 0 : placed[owner - 1].label + 1)));
  return { image, classMap, instances };
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Values from 0 to 255 of the rectangle that holds ink. */
interface Ink {
  readonly width: number;
  readonly height: number;
  readonly at: (row: number, column: number) => number;
}

/** A digit without the empty pixels around it. */
function inkOf({ width, height, data }: RgbImage): Ink {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let i = 0; i < width * height; i++) {
    if (data[3 * i] < 128) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), y];
  }
  const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);
  return {
    width: right - left + 1,
    height: bottom - top + 1,
    at: (row, column) =>
      data[3 * (clamp(top + row, top, bottom) * width + clamp(left + column, left, right))],
  };
}

function randomBackground(backgrounds: readonly RgbImage[], size: number, random: RandomNumbers): RgbImage {
  const { data: pixels, ...photograph } = backgrounds[random.integer(0, backgrounds.length - 1)];
  const shortest = Math.min(photograph.width, photograph.height);
  const side = Math.min(shortest, Math.round(size * between(random, 1, MOST_ZOOM)));
  const [left, top] = [
    random.integer(0, photograph.width - side),
    random.integer(0, photograph.height - side),
  ];
  const isMirrored = random.next() < 0.5;
  const brightness = between(random, 0.6, 1.2);
  const columns = Array.from({ length: size }, (_, x) => {
    const column = isMirrored ? size - 1 - x : x;
    return neighbours(((column + 0.5) * side) / size, side);
  });
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const [y0, y1, fy] = neighbours(((y + 0.5) * side) / size, side);
    const [upper, lower] = [y0, y1].map((row) => ((top + row) * photograph.width + left) * 3);
    for (let x = 0; x < size; x++) {
      const [x0, x1, fx] = columns[x];
      for (let c = 0; c < 3; c++) {
        const above = pixels[upper + x0 * 3 + c] * (1 - fx) + pixels[upper + x1 * 3 + c] * fx;
        const below = pixels[lower + x0 * 3 + c] * (1 - fx) + pixels[lower + x1 * 3 + c] * fx;
        const value = above * (1 - fy) + below * fy;
        data[(y * size + x) * 3 + c] = Math.min(255, Math.round(value * brightness));
      }
    }
  }
  return { width: size, height: size, data };
}

/** Blends a digit in one colour; pixels that it covers by half or more are its own. */
function drawDigit(
  image: RgbImage,
  owners: Uint8Array,
  ink: Ink,
  { left, top, width, height }: Box,
  owner: number,
  random: RandomNumbers,
): void {
  const colour = contrastingColour(image, { left, top, width, height }, random);
  for (let y = 0; y < height; y++) {
    const [y0, y1, fy] = neighbours(((y + 0.5) * ink.height) / height, ink.height);
    for (let x = 0; x < width; x++) {
      const [x0, x1, fx] = neighbours(((x + 0.5) * ink.width) / width, ink.width);
      const above = ink.at(y0, x0) * (1 - fx) + ink.at(y0, x1) * fx;
      const below = ink.at(y1, x0) * (1 - fx) + ink.at(y1, x1) * fx;
      const share = (above * (1 - fy) + below * fy) / 255;
      const at = (top + y) * image.width + left + x;
      for (let c = 0; c < 3; c++) {
        const behind = image.data[3 * at + c];
        image.data[3 * at + c] = Math.round(behind + share * (colour[c] - behind));
      }
      if (share >= 0.5) owners[at] = owner;
    }
  }
}

function contrastingColour(
  { width: columns, data }: RgbImage,
  { left, top, width, height }: Box,
  random: RandomNumbers,
): number[] {
  const mean = [0, 1, 2].map((c) => {
    let sum = 0;
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) sum += data[(y * columns + x) * 3 + c];
    }
    return sum / (width * height);
  });
  // The corner of the colour cube that is farthest from any mean is at least 220 away.
  for (;;) {
    const colour = mean.map(() => random.integer(0, 255));
    if (Math.hypot(...colour.map((value, c) => value - mean[c])) >= LEAST_CONTRAST) return colour;
  }
}

function visiblePart(owners: Uint8Array, size: number, owner: number, label: number): SceneInstance {
  const mask = owners.map((each) => (each === owner ? 1 : 0));
  let [x1, y1, x2, y2] = [size, size, 0, 0];
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    const [x, y] = [i % size, Math.floor(i / size)];
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), y + 1];
  }
  return { label, box: [x1, y1, x2, y2], mask };
}

/** The common area of two boxes over that of the smaller one. */
function overlap(a: Box, b: Box): number {
  const common = (start: 'left' | 'top', length: 'width' | 'height') =>
    Math.max(0, Math.min(a[start] + a[length], b[start] + b[length]) - Math.max(a[start], b[start]));
  const area = common('left', 'width') * common('top', 'height');
  return area / Math.min(a.width * a.height, b.width * b.height);
}

/** The two samples next to a position, of samples that lie at half pixels, and the share of the second one. */
function neighbours(position: number, samples: number): [low: number, high: number, share: number] {
  const from = Math.max(0, position - 0.5);
  const low = Math.floor(from);
  return [low, Math.min(samples - 1, low + 1), from - low];
}

function between(random: RandomNumbers, low: number, high: number): number {
  return low + (high - low) * random.next();
}
