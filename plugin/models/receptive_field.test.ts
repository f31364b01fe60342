/** Tests receptive fields: finite differences, pixels that cannot reach the centre, several images, memory, errors. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { type ConvertOptions, convertCheckpoint, MemorySink } from '../../converters/index.js';
import { MadeOrderedDict, torchZipBytes } from '../../converters/pytorch/testing/torch_writer.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { randomClassifier, randomState, smallMaskRCNN, smallUperNet } from '../../testing/checkpoints.js';
import { maxDifference, relativeDifference } from '../../testing/measure.js';
import { loadConverted } from '../../testing/models.js';
import { randomReceptiveFields } from '../../testing/receptive_field.js';
import { Detector, GrootV, prepareImage, type ReceptiveField, Segmenter } from '../index.js';

async function nano(options: ConvertOptions = {}): Promise<GrootV> {
  const { model, sink } = await loadConverted('grootv/grootv_nano_mnist.pth', options);
  model.dispose();
  return GrootV.load(sink);
}

/** Pixels that differ from one another. */
function testImage(width: number, height: number, seed = 7) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * seed + (i % 3) * 50) % 251);
  return { width, height, data };
}

/** Range of rows and columns that contribute. */
function extentOf({ size, values }: { size: number; values: Float32Array }) {
  const rows = Array.from(values, (value, i) => (value > 0 ? [Math.floor(i / size), i % size] : [])).filter(
    ([row]) => row !== undefined,
  );
  return [0, 1].flatMap((axis) => {
    const places = rows.map((place) => place[axis]);
    return [Math.min(...places), Math.max(...places)];
  });
}

t.test('the values are the positive slopes of the positive features, trees kept', async (t) => {
  const size = 40;
  const { leaked } = await onBackend('wasm', async () => {
    const model = await nano();
    const field = await model.receptiveField(testImage(size, size), { size });
    t.match(field, { size, level: 3, images: 1 });
    const image = tf.tensor4d(Float32Array.from(testImage(size, size).data), [1, size, size, 3]);
    const trees = Array.from({ length: model.numBlocks }, (_, i) => [
      `blocks_${i}/order`,
      `blocks_${i}/parent`,
    ]);
    const [normalized, ...chosen] = model.model.execute({ image }, [
      'normalized',
      ...trees.flat(),
    ]) as tf.Tensor[];
    const feeds = Object.fromEntries(trees.flat().map((name, i) => [name, chosen[i]]));
    /** The sum of the positive features at the centre: the last of 2 x 2 cells. */
    const measured = (pixels: Float32Array) =>
      tf.tidy(() => {
        const features = model.model.execute(
          { ...feeds, normalized: tf.tensor(pixels, normalized.shape) },
          'features_3',
        ) as tf.Tensor;
        const [, , , channels] = features.shape;
        const middle = tf.slice(features, [0, 1, 1, 0], [1, 1, 1, channels]);
        return tf.sum(tf.relu(middle)).dataSync()[0];
      });
    const pixels = normalized.dataSync() as Float32Array;
    const slope = (i: number, step: number) => {
      const [above, below] = [step, -step].map((by) => {
        const moved = pixels.slice();
        moved[i] += by;
        return measured(moved);
      });
      return (above - below) / (2 * step);
    };
    const most = field.values.reduce((most, value) => Math.max(most, value), 0);
    const places = Array.from(field.values.keys()).sort((a, b) => field.values[b] - field.values[a]);
    for (const place of [places[0], places[1], places[20], places[400]]) {
      const slopes = [0, 1, 2].map((channel) => {
        const i = 3 * place + channel;
        return (4 * slope(i, 0.02) - slope(i, 0.04)) / 3; // Richardson extrapolation, which removes the cubic term
      });
      const expected = slopes.reduce((sum, value) => sum + Math.max(0, value), 0);
      t.ok(
        Math.abs(field.values[place] - expected) < 0.01 * most,
        `pixel ${place}: ${field.values[place]}, slopes ${slopes}`,
      );
    }
    tf.dispose([image, normalized, chosen]);
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('the same on cpu and wasm', async (t) => {
  const found: Float32Array[][] = [];
  for (const backend of BACKENDS) {
    const { leaked } = await onBackend(backend, async () => {
      found.push(await randomReceptiveFields());
    });
    t.equal(leaked, 0, backend);
  }
  const [cpu, wasm] = found;
  for (const [level, values] of cpu.entries()) {
    const difference = relativeDifference(wasm[level], values);
    t.ok(difference < 1e-5, `level ${level}: ${difference}`);
    t.ok(values.some((value) => value > 0));
  }
});

t.test('without scans only what convolutions cover contributes', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const sink = await randomClassifier({ channels: 8, depths: [1, 1], layerScale: false, classes: 3 });
    const model = await GrootV.load(sink);
    const scanned = await model.receptiveField(testImage(32, 32), { level: 0, size: 32 });
    t.same(extentOf(scanned), [0, 31, 0, 31], 'a tree reaches everything');
    for (const [name, weights] of Object.entries(model.model.weights)) {
      if (!name.endsWith('out_proj.weight')) continue;
      weights[0].dispose();
      weights[0] = tf.keep(tf.zerosLike(weights[0]));
    }
    // Cell c of the first level covers pixels 4 c - 3 to 4 c + 3; of the second, cells 2 c - 1 to 2 c + 1 of the first.
    for (const [level, from, to] of [
      [0, 13, 19],
      [1, 9, 23],
    ]) {
      const field = await model.receptiveField(testImage(32, 32), { level, size: 32 });
      t.same(extentOf(field), [from, to, from, to], `level ${level}`);
    }
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('a raster scan carries nothing back', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await nano({ scan: 'raster' });
    const [first, last] = extentOf(await model.receptiveField(testImage(64, 64), { level: 0, size: 64 }));
    // The centre row is 8 of 16; its convolution reads row 9, which covers pixels to 4 * 9 + 3.
    t.same([first, last], [0, 39]);
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('several images: the mean, in any form, in the memory of one', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await nano();
    const size = 40;
    const images = [testImage(50, 44), testImage(40, 60, 11)];
    const singles: ReceptiveField[] = [];
    for (const each of images) singles.push(await model.receptiveField(each, { size }));
    const mean = singles[0].values.map((value, i) => (value + singles[1].values[i]) / 2);
    const progress: number[] = [];
    const listed = await model.receptiveField(images, { size, onProgress: (done) => progress.push(done) });
    t.match(listed, { images: 2, size, level: 3 });
    t.same(progress, [1, 2]);
    t.ok(relativeDifference(listed.values, mean) < 1e-6);

    const prepared = images.map((each) => prepareImage(each, size));
    const batch = tf.tensor4d(
      prepared.flatMap(({ data }) => [...data]),
      [2, size, size, 3],
    );
    const together = await model.receptiveField(batch, { size });
    t.equal(together.images, 2);
    t.ok(relativeDifference(together.values, mean) < 1e-4, 'a batch');
    batch.dispose();

    const tensors: number[] = [];
    async function* stream() {
      for (let i = 0; i < 6; i++) yield images[i % 2];
    }
    const streamed = await model.receptiveField(stream(), {
      size,
      onProgress: () => tensors.push(tf.memory().numBytes),
    });
    t.equal(streamed.images, 6);
    t.ok(maxDifference(streamed.values, listed.values) < 1e-7);
    t.equal(new Set(tensors).size, 1, 'bytes after each image');
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('of a segmenter and a detector', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    for (const [load, shapes] of [
      [Segmenter.load, smallUperNet()],
      [Detector.load, smallMaskRCNN()],
    ] as const) {
      const sink = new MemorySink();
      await convertCheckpoint(await torchZipBytes(new MadeOrderedDict(randomState(shapes))), sink);
      const model = await load(sink);
      const field = await model.receptiveField(testImage(48, 40), { size: 32 });
      t.match(field, { size: 32, level: 1, images: 1 });
      t.ok(field.values.some((value) => value > 0));
      await t.rejects(model.receptiveField([]), {
        message: /^(Segmenter|Detector)\.receptiveField: expected/,
      });
      model.dispose();
    }
  });
  t.equal(leaked, 0);
});

t.test('what is refused leaves nothing behind', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await nano();
    const good = testImage(32, 32);
    const { numTensors, numDataBuffers } = tf.memory();
    const name = 'GrootV.receptiveField: ';
    for (const [images, options, message] of [
      [good, { level: 4 }, `${name}level is 4, expected an integer from 0 to 3`],
      [good, { level: -1 }, `${name}level is -1, expected an integer of at least 0`],
      [good, { size: 0.5 }, `${name}size is 0.5, expected an integer from 1 to 16384`],
      [
        good,
        { size: 16_384 },
        /needs about \d+\.\d GB of memory, at most 3\.5 GB are used: choose a smaller size/,
      ],
      [good, { onProgress: 1 }, `${name}onProgress is 1, expected a function`],
      [good, 3, `${name}options is 3, expected an object`],
      [[], {}, `${name}expected at least one image, got none`],
      [[good, 'nowhere.png'], { size: 32 }, /^GrootV\.receptiveField: image 2 of 2: /],
      [5, {}, /^GrootV\.receptiveField: expected a tensor/],
    ] as const) {
      await t.rejects(model.receptiveField(images as never, options as never), { message });
    }
    const reason = new Error('enough');
    const controller = new AbortController();
    const options = { size: 32, signal: controller.signal, onProgress: () => controller.abort(reason) };
    await t.rejects(model.receptiveField([good, good], options), reason);
    const dark = tf.fill([32, 32, 3], Number.NaN) as tf.Tensor3D;
    await t.rejects(model.receptiveField(dark, { size: 32 }), { message: /^GrootV\.receptiveField: .*NaN/ });
    dark.dispose();
    const own = new Error('mine');
    async function* broken() {
      yield good;
      throw own;
    }
    await t.rejects(
      model.receptiveField(broken(), { size: 32 }),
      own,
      'an error of the caller is left as it is',
    );
    t.match(tf.memory(), { numTensors, numDataBuffers });
    model.dispose();
    await t.rejects(model.receptiveField(good, { size: 32 }), { message: /has been disposed/ });
  });
  t.equal(leaked, 0);
});
