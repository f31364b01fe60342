/** Tests batches: every example once per epoch, reproducible by seed, from any position, prepared as in the fixtures. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { prepareImage } from '../../image/prepare.js';
import type { RgbImage } from '../../image/rgb_image.js';
import { RandomNumbers } from '../../random.js';
import '../../index.js';
import { onBackend } from '../../../testing/backends.js';
import { fixturePath, readFixture } from '../../../testing/fixtures.js';
import { AUGMENTATION, augmentImage, eraseRectangle, randomCrop } from './augment.js';
import { Batches, type BatchOptions, inOrder } from './batches.js';
import { type Examples, firstExamples, imageExamples } from './examples.js';

await tf.setBackend('cpu');
const preparation = { size: 4, mean: [0.5, 0.5, 0.5], deviation: [0.2, 0.2, 0.2] };

/** Image i has the colour i and the class i % 3. */
const examples = imageExamples(
  Array.from({ length: 10 }, (_, i) => ({
    image: { width: 5, height: 4, data: new Uint8Array(60).fill(i) },
    label: `class ${i % 3}`,
  })),
);

/** Returns the colours of the images of the next batches. */
async function colours(batches: Batches, count: number): Promise<number[][]> {
  const found: number[][] = [];
  for (let i = 0; i < count; i++) {
    const { images, labels } = await batches.next();
    const values = await images.data();
    const [batch, height, width] = images.shape;
    found.push(Array.from({ length: batch }, (_, n) => values[n * height * width * 3]));
    t.same(
      [...labels],
      found[i].map((colour) => colour % 3),
    );
    images.dispose();
  }
  return found;
}
const batchesOf = (options: Partial<BatchOptions> = {}) =>
  new Batches(examples, { batch: 3, preparation, seed: 1, ...options });

t.test('an epoch holds no example twice, epochs and seeds differ, the same seed repeats', async (t) => {
  const batches = batchesOf();
  t.equal(batches.batchesPerEpoch, 3);
  const first = await colours(batches, 3);
  t.equal(new Set(first.flat()).size, 9);
  const second = await colours(batches, 3);
  t.equal(new Set(second.flat()).size, 9);
  t.notSame(first, second);
  t.same(batches.position, { epoch: 2, batch: 0 });
  t.same(await colours(batchesOf(), 6), [...first, ...second]);
  t.notSame(await colours(batchesOf({ seed: 2 }), 3), first);
});

t.test(
  'from a position on, the batches are those of an uninterrupted run, changes of images included',
  async (t) => {
    for (const augment of [false, true]) {
      const whole = batchesOf({ augment });
      for (let i = 0; i < 4; i++) (await whole.next()).images.dispose();
      const resumed = batchesOf({ augment });
      resumed.restore(JSON.parse(JSON.stringify(whole.position)));
      for (let i = 0; i < 3; i++) {
        const [a, b] = [await whole.next(), await resumed.next()];
        t.same(await a.images.data(), await b.images.data());
        t.same(a.labels, b.labels);
        tf.dispose([a.images, b.images]);
      }
    }
  },
);

t.test('a given order is followed; a set smaller than a batch is one', async (t) => {
  const order = [
    [9, 0],
    [3, 3, 4],
  ];
  t.same(await colours(batchesOf({ order }), 3), [...order, order[0]]);
  t.equal(new Batches(firstExamples(examples, 2), { preparation }).batchesPerEpoch, 1);
  const all: number[] = [];
  for await (const { images, labels } of inOrder(examples, { batch: 4, preparation })) {
    t.equal(images.shape[0], labels.length);
    all.push(...labels);
    images.dispose();
  }
  t.same(all, [...examples.labels]);
});

t.test('options and positions that make no sense', async (t) => {
  t.throws(() => batchesOf({ batch: 0 }), { message: 'batch is 0, expected an integer of at least 1' });
  t.throws(() => batchesOf({ order: [[10]] }), {
    message: /order\[0\] holds 10, expected examples of .*, 0 to 9/,
  });
  t.throws(() => batchesOf({ order: [[]] }), { message: /order\[0\] holds nothing/ });
  t.throws(() => batchesOf({ augment: { erase: 2 } }), { message: 'erase is 2, expected a probability' });
  const none = { ...examples, labels: new Int32Array(0) };
  t.throws(() => new Batches(none, { preparation }), { message: 'the images: no examples' });
  for (const position of [
    null,
    {},
    { epoch: 0, batch: 3 },
    { epoch: -1, batch: 0 },
    { epoch: 0, batch: 0.5 },
  ]) {
    t.throws(() => batchesOf().restore(position), { message: /the position of the data/ });
  }
  t.throws(() => imageExamples([]), { message: 'the images: expected at least one image' });
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  t.throws(() => imageExamples([{ image, label: 'x' }], { classNames: ['y'] }), {
    message: /"x" is not among 1/,
  });
});

t.test('an image that cannot be read leaves nothing behind, and the position where it was', async (t) => {
  const broken: Examples = {
    ...examples,
    image: (i) => (i === 2 ? Promise.reject(new Error('2 is broken')) : examples.image(i)),
  };
  const { leaked } = await onBackend('cpu', async () => {
    const batches = new Batches(broken, { batch: 10, preparation });
    await t.rejects(batches.next(), { message: '2 is broken' });
    t.same(batches.position, { epoch: 0, batch: 0 });
  });
  t.equal(leaked, 0);
});

t.test('images are prepared as the model says, or enlarged as the fixtures say', async (t) => {
  const random = new RandomNumbers(3);
  const image: RgbImage = {
    width: 9,
    height: 7,
    data: Uint8Array.from({ length: 189 }, () => random.integer(0, 255)),
  };
  for await (const { images } of inOrder(imageExamples([{ image, label: 'a' }]), { preparation })) {
    t.same([...(await images.data())], [...prepareImage(image, 4).data]);
    images.dispose();
  }

  const sizes = [image, { ...image, width: 7, height: 9 }, image, image];
  const enlarged = async (images: readonly RgbImage[]) => {
    const set = imageExamples(
      images.map((image) => ({ image, label: 'a' })),
      { resizing: 'bilinear' },
    );
    const values: number[] = [];
    for await (const { images } of inOrder(set, { preparation })) {
      values.push(...(await images.data()));
      images.dispose();
    }
    return values;
  };
  const alone = await Promise.all(sizes.map((each) => enlarged([each])));
  t.same(await enlarged(sizes), alone.flat(), 'several sizes');

  const file = 'training/nano_batches.safetensors';
  if (!fixturePath(file)) return t.pass('resized digits', { skip: `no fixture ${file}` });
  const fixture = readFixture(file);
  const [, count, height, width] = fixture.tensor('images_u8').shape;
  const pixels = fixture.tensor('images_u8').values;
  const grey = (i: number): RgbImage => {
    const data = new Uint8Array(height * width * 3);
    for (let at = 0; at < data.length; at++) data[at] = pixels[i * height * width + Math.floor(at / 3)];
    return { width, height, data };
  };
  const digits = imageExamples(
    Array.from({ length: count }, (_, i) => ({ image: grey(i), label: '0' })),
    { resizing: 'bilinear' },
  );
  const expected = fixture.tensor('resized_step0').values;
  const size = 64;
  for (const backend of ['cpu', 'wasm'] as const) {
    await onBackend(backend, async () => {
      for await (const { images } of inOrder(digits, { preparation: { ...preparation, size } })) {
        const values = await images.data();
        let worst = 0;
        for (let i = 0; i < values.length; i++)
          worst = Math.max(worst, Math.abs(values[i] / 255 - expected[Math.floor(i / 3)]));
        t.ok(worst < 3e-7, `${backend}: ${worst}`);
        images.dispose();
      }
    });
  }
});

t.test(
  'augmentation: crops within the image, of the area asked for; a mirrored row; erased noise',
  async (t) => {
    const random = new RandomNumbers(5);
    const crops = Array.from({ length: 200 }, () => randomCrop({ width: 60, height: 40 }, [0.08, 1], random));
    for (const { left, top, width, height } of crops) {
      t.ok(left >= 0 && top >= 0 && left + width <= 60 && top + height <= 40 && width >= 1 && height >= 1);
    }
    const areas = crops.map(({ width, height }) => (width * height) / 2400);
    t.ok(Math.min(...areas) < 0.12 && Math.max(...areas) > 0.75);
    t.ok(crops.every(({ width, height }) => width / height > 0.65 && width / height < 1.5));
    t.same(randomCrop({ width: 400, height: 1 }, [1, 1], random), { left: 199, top: 0, width: 1, height: 1 });

    const ramp: RgbImage = {
      width: 8,
      height: 8,
      data: Uint8Array.from({ length: 192 }, (_, i) => 30 * (Math.floor(i / 3) % 8)),
    };
    const plain = { ...AUGMENTATION, area: [1, 1] as const, colour: 0, mirror: true };
    const rising = Array.from({ length: 40 }, () => {
      const { data } = augmentImage(ramp, 8, plain, random);
      return data[0] < data[21];
    });
    const mirrored = rising.filter((each) => !each).length;
    t.ok(mirrored > 8 && mirrored < 32, `${mirrored} of 40 mirrored`);

    const values = new Float32Array(16 * 16 * 3).fill(-1);
    eraseRectangle(values, 16, preparation, random);
    const erased = values.filter((value) => value !== -1).length / 3;
    t.ok(erased >= 2 && erased < 0.45 * 256, `${erased} pixels`);
  },
);
