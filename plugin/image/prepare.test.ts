import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readImage } from '../../node/images/read_image.js';
import { fitImage, prepareImage } from './prepare.js';
import { resizeBicubic } from './resample.js';

const fixtures = fileURLToPath(new URL('../../node/images/fixtures', import.meta.url));

t.test('prepareImage is bit-identical with torchvision over Pillow', async (t) => {
  for (const [name, size] of [
    ['cat', 32],
    ['cat', 56],
    ['cat', 59],
    ['tall', 30],
    ['tall', 33],
    ['tall', 50],
  ] as const) {
    const image = await readImage(join(fixtures, `${name}.png`));
    const expected = await readImage(join(fixtures, `${name}-prepared-${size}.png`));
    const actual = prepareImage(image, size);
    t.equal(actual.width, size);
    t.equal(actual.height, size);
    t.ok(Buffer.compare(actual.data, expected.data) === 0, `${name} to ${size}`);
  }
});

t.test('fitImage rounds the long side down', async (t) => {
  const blank = (width: number, height: number) => ({
    width,
    height,
    data: new Uint8Array(width * height * 3),
  });
  const sizeOf = (width: number, height: number, size: number) => {
    const fitted = fitImage(blank(width, height), size);
    return [fitted.width, fitted.height];
  };
  t.same(sizeOf(448, 298, 224), [336, 224]);
  t.same(sizeOf(298, 448, 224), [224, 336]);
  t.same(sizeOf(97, 87, 59), [65, 59]);
  t.same(sizeOf(5, 5, 8), [8, 8]);
  t.same(sizeOf(1, 40, 3), [3, 120]);
});

t.test('prepareImage of a thin image reads and makes no more than the middle', async (t) => {
  for (const [width, height] of [
    [1, 60_000],
    [60_000, 1],
    [3, 100_000],
    [1, 20_000_000],
  ]) {
    const data = new Uint8Array(width * height * 3).map((_, i) => (i * 2654435761) >>> 24);
    const image = { width, height, data };
    const before = process.memoryUsage().arrayBuffers;
    const prepared = prepareImage(image, 224);
    // The prepared image and two tables of weights.
    t.ok(process.memoryUsage().arrayBuffers - before < 30e6, `${width}x${height}`);
    t.same([prepared.width, prepared.height, prepared.data.length], [224, 224, 224 * 224 * 3]);
  }
});

t.test('prepareImage is the resized image, then its middle, bit for bit', async (t) => {
  for (const [width, height, size] of [
    [1, 300, 5],
    [300, 2, 7],
    [31, 32, 30],
    [64, 64, 64],
  ]) {
    const data = new Uint8Array(width * height * 3).map((_, i) => (i * 2654435761) >>> 24);
    const whole = fitImage({ width, height, data }, size);
    const [left, top] = [whole.width - size, whole.height - size].map((rest) => {
      const half = Math.floor(rest / 2);
      return rest % 2 === 1 && half % 2 === 1 ? half + 1 : half;
    });
    const expected = resizeBicubic(whole, whole.width, whole.height, {
      left,
      top,
      width: size,
      height: size,
    });
    t.same(prepareImage({ width, height, data }, size), expected, `${width}x${height} to ${size}`);
  }
});

t.test('prepareImage takes the side from the metadata of a model', async (t) => {
  const image = { width: 9, height: 5, data: new Uint8Array(135).map((_, i) => i) };
  t.same(prepareImage(image, { size: 4 }), prepareImage(image, 4));
});

t.test('prepareImage refuses a size that is none, and what is not an image', async (t) => {
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  t.throws(() => prepareImage(image, 0), { message: /size must be a whole number of at least 1, got 0/ });
  t.throws(() => prepareImage(image, {} as { size: number }), { message: /got undefined/ });
  t.throws(() => prepareImage(undefined as never, 4), { message: /expected an image .*, got undefined/ });
});
