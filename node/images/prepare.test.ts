import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { decodeImage } from './decode.js';
import { fitImage, prepareImage } from './prepare.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

t.test('prepareImage is bit-identical with torchvision over Pillow', async (t) => {
  for (const [name, size] of [
    ['cat', 32],
    ['cat', 56],
    ['cat', 59],
    ['tall', 30],
    ['tall', 33],
    ['tall', 50],
  ] as const) {
    const image = await decodeImage(join(fixtures, `${name}.png`));
    const expected = await decodeImage(join(fixtures, `${name}-prepared-${size}.png`));
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

t.test('prepareImage refuses a size that is none', async (t) => {
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  t.throws(() => prepareImage(image, 0), { message: /size must be a whole number of at least 1, got 0/ });
});
