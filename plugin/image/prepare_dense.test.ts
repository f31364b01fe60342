import t from 'tap';
import {
  channelsLast,
  type Fixture,
  fixturePath,
  readDenseModel,
  readFixture,
} from '../../testing/fixtures.js';
import { maxDifference } from '../../testing/measure.js';
import { type DensePreparation, denseExtents, prepareDense } from './prepare_dense.js';
import { resizeBilinear } from './resize_bilinear.js';
import type { RgbImage } from './rgb_image.js';

function testImage(fixture: Fixture, name: string): RgbImage {
  const { shape, values } = fixture.tensor(name);
  const [height, width] = shape.slice(-3);
  return { width, height, data: Uint8Array.from(values.subarray(0, width * height * 3)) };
}

function preparation(scale: readonly [number, number], padTo = 1, multipleOf = 0): DensePreparation {
  const [mean, deviation] = [
    [123.675, 116.28, 103.53],
    [58.395, 57.12, 57.375],
  ].map((values) => values.map((value) => value / 255));
  return { scale, multipleOf: multipleOf || null, padTo, mean, deviation };
}

/** Only the resizes of a preparation; the second is the identity if there is none. */
function resizedTwice(image: RgbImage, asked: DensePreparation): RgbImage {
  const { kept, content } = denseExtents(image, asked);
  return resizeBilinear(resizeBilinear(image, kept.width, kept.height), content.width, content.height);
}

t.test('resizeBilinear is bit-identical with OpenCV', async (t) => {
  const fixture = readFixture('dense/ops_resize.safetensors');
  const cases: { name: string; img_scale: [number, number]; divisor: number }[] = JSON.parse(
    fixture.metadata.uint8,
  );
  t.equal(cases.length, 5);
  for (const { name, img_scale, divisor } of cases) {
    const [input, expected] = ['input', 'output'].map((part) => testImage(fixture, `${name}.${part}`));
    const resized = resizedTwice(input, preparation(img_scale, 1, divisor));
    t.same([resized.width, resized.height], [expected.width, expected.height], name);
    t.ok(Buffer.from(resized.data).equals(expected.data), name);
  }
});

t.test('images of the test pipelines: sizes, scale factor, pixels, padding', async (t) => {
  let compared = 0;
  for (const file of ['upernet_tiny', 'upernet_tiny_outnorm', 'mask_rcnn_tiny']) {
    if (!fixturePath(`dense/${file}.pth`)) continue; // not in the repository
    const fixture = readDenseModel(file);
    const isDetection = file.includes('mask_rcnn');
    for (const name of Object.keys(fixture.metadata).filter((key) => key.startsWith('input.'))) {
      const input = name.slice(6);
      const described = JSON.parse(fixture.metadata[name]);
      const asked = preparation(described.img_scale, isDetection ? 32 : 1, described.resize_to_multiple);
      const image = testImage(fixture, `rgb.${input}`);
      const prepared = prepareDense(image, asked);
      const { width, height, content, scaleFactor, values } = prepared;
      t.same([height, width, 3], described.pad_shape, `${file} ${input}: padded`);
      t.same([content.height, content.width, 3], described.img_shape, `${input}: image`);
      t.same(scaleFactor, described.scale_factor, `${input}: scale factor`);
      if (fixture.has(`resized_rgb.${input}`)) {
        const expected = testImage(fixture, `resized_rgb.${input}`);
        t.ok(Buffer.from(resizedTwice(image, asked).data).equals(expected.data), `${input}: resized`);
      }
      if (!fixture.has(`input.${input}`)) continue;
      const { shape, values: planes } = fixture.tensor(`input.${input}`);
      const expected = channelsLast({ shape: [shape[0], 3, height * width], values: planes }).values;
      t.equal(maxDifference(values, expected.subarray(0, values.length)), 0, `${input}: normalised`);
      compared++;
    }
  }
  t.ok(compared >= 2, `${compared} inputs`);
});

t.test('the long side bounds wide images, thin ones keep a pixel', async (t) => {
  const { kept, content, padded } = denseExtents({ width: 4000, height: 500 }, preparation([1333, 800], 32));
  t.same(
    [kept, padded],
    [
      { width: 1333, height: 167 },
      { width: 1344, height: 192 },
    ],
  );
  t.same(content, kept);
  t.same(denseExtents({ width: 1, height: 9000 }, preparation([2048, 512])).content, {
    width: 1,
    height: 2048,
  });
});

t.test('resizeBilinear refuses what is not an image or a size', async (t) => {
  const image = { width: 2, height: 2, data: new Uint8Array(12) };
  t.throws(() => resizeBilinear(image, 0, 2), {
    message: /width must be a whole number of at least 1, got 0/,
  });
  t.throws(() => resizeBilinear(image, 2, 1.5), { message: /height must be .* got 1.5/ });
  t.throws(() => resizeBilinear({ ...image, height: 3 }, 2, 2), { message: /2x3 has 18 bytes, got 12/ });
});
