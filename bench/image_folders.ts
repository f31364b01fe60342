/** Data for benchmarks over many images: folders of images, and classifiers with random weights. */
import { link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { convertCheckpoint } from '../converters/index.js';
import { writeFolderAtomically } from '../node/atomic_directory.js';
import { encodeImage } from '../node/images/encode.js';
import type { RgbImage } from '../plugin/image/rgb_image.js';
import { StrokeLayer } from '../plugin/image/stroke_layer.js';
import { TEXT_HEIGHT, textStrokes } from '../plugin/image/stroke_text.js';
import { EXPORTED } from '../plugin/models/grootv_metadata.js';
import { encodeSafetensors } from '../plugin/models/safetensors_writer.js';
import { RandomNumbers } from '../plugin/random.js';
import { type GrootVSizes, grootVShapes, randomValues, uniform } from './random_weights.js';

/** Number of distinct files; the others are hard links to them, so that 100,000 are created within seconds. */
const DIFFERENT = 100;
/** Files per folder. */
const OF_A_FOLDER = 1000;

const DIGIT_SIDE = 28;
/** A common size in ImageNet. */
const PHOTOGRAPH = { width: 500, height: 375 };
/** Amplitude of the noise in a photograph. */
const NOISE = 20;

/** Digits as in MNIST, white on black, in folders of a thousand. @param folder is created */
export async function writeDigits(folder: string, count: number): Promise<void> {
  const first: string[] = [];
  for (let i = 0; i < count; i++) {
    const below = join(folder, String(Math.floor(i / OF_A_FOLDER)));
    if (i % OF_A_FOLDER === 0) await mkdir(below, { recursive: true });
    const file = join(below, `${i}.png`);
    if (i >= DIFFERENT) await link(first[i % DIFFERENT], file);
    else {
      await writeFile(file, await encodeImage(digit(i), 'png'));
      first.push(file);
    }
  }
}

/** Images with as many bytes as photographs. @param folder is created */
export async function writePhotographs(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    await writeFile(join(folder, `${i}.jpg`), await encodeImage(photograph(i), 'jpeg'));
  }
}

/**
 * Converts a classifier with random weights.
 * @param folder is created
 * @param side of the square model inputs, in pixels
 */
export async function writeClassifier(folder: string, sizes: GrootVSizes, side: number): Promise<void> {
  const random = uniform(1);
  const tensors = [...grootVShapes(sizes)].map(([name, shape]) => {
    return { name, dtype: 'F32' as const, shape, data: randomValues(name, shape, random) };
  });
  const checkpoint = encodeSafetensors(tensors, { [EXPORTED.imageSize]: String(side) });
  await writeFolderAtomically(folder, (sink) => convertCheckpoint(checkpoint, sink));
}

function digit(i: number): RgbImage {
  const data = new Uint8Array(3 * DIGIT_SIDE * DIGIT_SIDE);
  const image = { width: DIGIT_SIDE, height: DIGIT_SIDE, data };
  const layer = new StrokeLayer(DIGIT_SIDE, DIGIT_SIDE);
  const scale = 18 / TEXT_HEIGHT;
  const [x, y] = [6 + (i % 7), 3 + (i % 5)];
  for (const line of textStrokes(String(i % 10), x, y, scale)) layer.stroke(line, 2 + (i % 3) / 2, 0);
  layer.blend(image, Uint8Array.of(255, 255, 255));
  return image;
}

/** Waves and noise. */
function photograph(seed: number): RgbImage {
  const { width, height } = PHOTOGRAPH;
  const random = new RandomNumbers(seed + 1);
  const waves = Array.from({ length: 6 }, () => Array.from({ length: 4 }, () => random.next()));
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
    for (let c = 0; c < 3; c++) {
      const sum = waves.reduce((sum, [a, b, phase, size]) => {
        return sum + size * Math.sin(40 * (a * x + b * y) + 6 * phase + c);
      }, 0);
      data[3 * i + c] = Math.min(255, Math.max(0, 128 + 30 * sum + NOISE * (random.next() - 0.5)));
    }
  }
  return { width, height, data };
}
