import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { readImage } from '../../node/images/read_image.js';
import { bicubicWeights, resizeBicubic } from './resample.js';

const fixtures = fileURLToPath(new URL('../../node/images/fixtures', import.meta.url));

t.test('resizeBicubic is bit-identical with Pillow', async (t) => {
  const cat = await readImage(join(fixtures, 'cat.png'));
  const before = cat.data.slice();
  const files = readdirSync(fixtures).filter((file) => file.startsWith('cat-resized-'));
  t.equal(files.length, 6);
  for (const file of files) {
    const expected = await readImage(join(fixtures, file));
    const actual = resizeBicubic(cat, expected.width, expected.height);
    t.equal(actual.width, expected.width);
    t.equal(actual.height, expected.height);
    t.ok(Buffer.compare(actual.data, expected.data) === 0, file);
  }
  t.ok(Buffer.compare(before, cat.data) === 0, 'the input is left alone');
});

t.test('resizeBicubic to the same size copies', async (t) => {
  const image = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 250, 251, 252) };
  const copy = resizeBicubic(image, 2, 1);
  t.same(copy, image);
  copy.data[0] = 9;
  t.equal(image.data[0], 1);
});

t.test('resizeBicubic clips the overshoot of the cubic', async (t) => {
  const edge = { width: 4, height: 1, data: Uint8Array.from([0, 0, 255, 255].flatMap((v) => [v, v, v])) };
  const { data } = resizeBicubic(edge, 16, 1);
  const red = Array.from({ length: 16 }, (_, i) => data[3 * i]);
  t.equal(Math.min(...red), 0);
  t.equal(Math.max(...red), 255);
  t.same(
    red,
    [...red].sort((a, b) => a - b),
    'clipped, not wrapped around',
  );
});

t.test('bicubicWeights sum to one and stay inside', async (t) => {
  for (const [input, output] of [
    [1, 1],
    [1, 9],
    [9, 1],
    [448, 224],
    [298, 224],
    [56, 1000],
  ]) {
    const { first, count, weights, stride } = bicubicWeights(input, output);
    for (let i = 0; i < output; i++) {
      const sum = weights.subarray(i * stride, i * stride + count[i]).reduce((a, b) => a + b, 0);
      if (Math.abs(sum - 1) > 1e-12 || first[i] < 0 || first[i] + count[i] > input || count[i] < 1) {
        t.fail(`${input} -> ${output}, sample ${i}: sum ${sum}, ${first[i]} + ${count[i]}`);
      }
    }
    t.equal(first.length, output);
  }
});

t.test('resizeBicubic refuses what is not an image or a size', async (t) => {
  const image = { width: 2, height: 2, data: new Uint8Array(12) };
  t.throws(() => resizeBicubic(image, 0, 2), {
    message: /width must be a whole number of at least 1, got 0/,
  });
  t.throws(() => resizeBicubic(image, 2, 1.5), { message: /height must be .* got 1.5/ });
  t.throws(() => resizeBicubic({ ...image, height: 3 }, 2, 2), { message: /2x3 has 18 bytes, got 12/ });
});

/** An image whose pixels are determined by its size. */
function noise(width: number, height: number) {
  let state = width * 65537 + height;
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { width, height, data };
}

t.test('a part of the result is what cutting it out of the whole gives, bit for bit', async (t) => {
  const side = fc.integer({ min: 1, max: 40 });
  const target = fc.integer({ min: 1, max: 60 });
  const fraction = fc.double({ min: 0, max: 1, noNaN: true });
  const parts = fc.property(
    fc.tuple(side, side),
    fc.tuple(target, target),
    fc.tuple(fraction, fraction, fraction, fraction),
    ([w, h], [width, height], [a, b, c, d]) => {
      const left = Math.min(width - 1, Math.floor(a * width));
      const top = Math.min(height - 1, Math.floor(b * height));
      const part = {
        left,
        top,
        width: 1 + Math.floor(c * (width - left - 1)),
        height: 1 + Math.floor(d * (height - top - 1)),
      };
      const image = noise(w, h);
      const whole = resizeBicubic(image, width, height);
      const actual = resizeBicubic(image, width, height, part);
      for (let y = 0; y < part.height; y++) {
        const begin = ((top + y) * width + left) * 3;
        const expected = whole.data.subarray(begin, begin + part.width * 3);
        const row = actual.data.subarray(y * part.width * 3, (y + 1) * part.width * 3);
        if (Buffer.compare(expected, row) !== 0) return false;
      }
      return actual.data.length === part.width * part.height * 3;
    },
  );
  t.doesNotThrow(() => fc.assert(parts, { numRuns: 300 }));
});

t.test('a long side is resized block by block of weights, with the same result', async (t) => {
  const image = noise(300_000, 1);
  const whole = resizeBicubic(image, 1120, 1);
  const end = resizeBicubic(image, 1120, 1, { left: 1100, top: 0, width: 20, height: 1 });
  t.ok(Buffer.compare(whole.data.subarray(1100 * 3), end.data) === 0);
});

t.test('a part that is not inside the result is refused', async (t) => {
  const image = noise(4, 4);
  for (const part of [
    { left: 5, top: 0, width: 4, height: 1 },
    { left: -1, top: 0, width: 1, height: 1 },
    { left: 0.5, top: 0, width: 1, height: 1 },
  ]) {
    t.throws(() => resizeBicubic(image, 8, 8, part), { message: /the part of .* is not inside 8x8/ });
  }
  t.throws(() => resizeBicubic(image, 8, 8, { left: 0, top: 0, width: 0, height: 1 }), {
    message: /part.width must be a whole number/,
  });
});
