import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { MemorySink } from '../../converters/index.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { readFixture } from '../../testing/fixtures.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted } from '../../testing/models.js';
import { GrootV, treeScan } from '../index.js';

async function load(file: string, options = {}): Promise<GrootV> {
  const { model, sink } = await loadConverted(file, options);
  model.dispose();
  return GrootV.load(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
}

for (const backend of BACKENDS) {
  t.test(`GrootV on ${backend}`, async (t) => {
    const expected = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
    const { leaked } = await onBackend(backend, async () => {
      const model = await load('grootv/grootv_nano_mnist.pth');
      t.equal(model.numBlocks, 5);
      const digits = tf.tidy(() => {
        const images = expected.tensor('images_u8').values.slice(0, 3 * 28 * 28);
        const grey = tf.tensor4d(Float32Array.from(images), [3, 28, 28, 1]);
        return tf.tile(tf.image.resizeBilinear(grey, [64, 64], false, true), [1, 1, 1, 3]);
      });

      const predictions = await model.classify(digits, { top: 3 });
      t.same(
        predictions.map(([best]) => best.label),
        [...expected.tensor('labels').values.slice(0, 3)].map(String),
      );
      t.ok(predictions.every((row) => row.length === 3 && row[0].probability >= row[1].probability));
      const all = await model.classify(digits, { top: 99 });
      t.ok(
        all.every((row) => Math.abs(row.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-5),
      );

      const one = tf.tidy(() => tf.slice(digits, 0, 1));
      const pixels = tf.tidy(() => tf.cast(tf.squeeze<tf.Tensor3D>(one, [0]), 'int32'));
      t.equal((await model.classify(pixels))[0][0].label, predictions[0][0].label, 'one image, int32');

      for (const [block, side] of [
        [0, 16],
        [1, 8],
        [2, 4],
        [3, 4],
        [4, 2],
      ]) {
        const tree = await model.tree(one, { block });
        t.same([tree.height, tree.width, tree.order.length], [side, side, side * side], `block ${block}`);
      }

      // Affinity by its definition, path by path.
      const block = 2;
      const map = await model.affinity(one, { x: 63, y: 17, block });
      t.same(map.anchor, { x: 3, y: 1 });
      const { order, parent } = await model.tree(one, { block });
      const decay = model.model.execute({ image: one }, `blocks_${block}/decay`) as tf.Tensor3D;
      const [, vertices, channels] = decay.shape;
      const w = decay.dataSync();
      const position = new Map([...order].map((v, i) => [v, i]));
      const chain = (v: number) => {
        const path = [v];
        for (let i = position.get(v) as number; i > 0; i = parent[i]) path.push(order[parent[i]]);
        return path;
      };
      const anchor = chain(1 * 4 + 3);
      for (let v = 0; v < vertices; v++) {
        const path = chain(v);
        const meeting = path.find((u) => anchor.includes(u)) as number;
        const edges = [...path.slice(0, path.indexOf(meeting)), ...anchor.slice(0, anchor.indexOf(meeting))];
        let sum = 0;
        for (let d = 0; d < channels; d++)
          sum += edges.reduce((product, u) => product * w[u * channels + d], 1);
        t.ok(Math.abs(map.values[v] - sum / channels) < 1e-5, `vertex ${v}: ${map.values[v]}`);
      }
      t.equal(map.values[1 * 4 + 3], 1, 'the anchor itself');
      tf.dispose([digits, one, pixels, decay]);
      model.dispose();
    });
    t.equal(leaked, 0, 'no tensor is left behind');
  });
}

/** Vertices of a grid of 4 x 4 by rows, and by columns. */
const ROWS = Array.from({ length: 16 }, (_, v) => v);
const COLUMNS = ROWS.map((i) => 4 * (i % 4) + Math.floor(i / 4));
const PATHS = [ROWS, COLUMNS, [...ROWS].reverse(), [...COLUMNS].reverse()];

for (const backend of BACKENDS) {
  t.test(`affinity along fixed paths, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const image = tf.tidy(() => tf.randomUniform<tf.Rank.R3>([64, 64, 3], 0, 255, 'float32', 3));
      const block = 2;
      const [at, options] = [6, { x: 47, y: 31, block }];
      for (const [model, paths, instead] of [
        [await load('grootv/grootv_nano_mnist.pth'), [ROWS], { scan: 'raster' }],
        [await load('grootv/grootv_nano_mnist.pth', { scan: 'raster' }), [ROWS], {}],
        [await load('grootv/grootv_nano_mnist.pth', { scan: 'cross' }), PATHS, {}],
      ] as const) {
        const map = await model.affinity(image, { ...options, ...instead });
        t.same(map.anchor, { x: 2, y: 1 });
        const batch = tf.tidy(() => tf.expandDims(image, 0));
        const decay = model.model.execute({ image: batch }, `blocks_${block}/decay`) as tf.Tensor3D;
        const [w, channels] = [decay.dataSync(), decay.shape[2]];
        const expected = new Float64Array(16);
        for (const path of paths) {
          for (let d = 0; d < channels; d++) {
            let product = 1;
            for (let i = path.indexOf(at); i >= 0; i--) {
              expected[path[i]] += product / channels / paths.length;
              product *= w[path[i] * channels + d];
            }
          }
        }
        t.ok(maxDifference(map.values, expected) < 1e-5, `${paths.length} paths`);
        t.equal(map.values[at], 1, 'the anchor itself');
        if (paths.length > 1) {
          await t.rejects(model.tree(image, { block }), {
            message: 'GrootV.tree: a cross scan goes along four paths, not along a tree',
          });
        } else if (!('scan' in instead)) {
          t.same([...(await model.tree(image, { block })).order], ROWS, 'the tree is the path');
        }
        tf.dispose([batch, decay]);
        model.dispose();
      }
      image.dispose();
    });
    t.equal(leaked, 0);
  });
}

t.test('towards the root alone a vertex has the affinity of its subtree', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const image = tf.tidy(() => tf.randomUniform<tf.Rank.R3>([64, 64, 3], 0, 255, 'float32', 3));
    const [all, root] = [
      await load('grootv/grootv_nano_mnist.pth'),
      await load('grootv/grootv_nano_mnist.pth', { aggregate: 'root' }),
    ];
    const [whole, below] = [
      await all.affinity(image, { x: 30, y: 30 }),
      await root.affinity(image, { x: 30, y: 30 }),
    ];
    const { order, parent } = await root.tree(image);
    const at = 16 * 7 + 7;
    const above = (v: number): number[] => {
      const ids = [v];
      for (let i = order.indexOf(v); i > 0; i = parent[i]) ids.push(order[parent[i]]);
      return ids;
    };
    const expected = whole.values.map((value, v) => (above(v).includes(at) ? value : 0));
    t.ok(maxDifference(below.values, expected) < 1e-6);
    t.ok(expected.filter((value) => value > 0).length < 256);
    image.dispose();
    for (const model of [all, root]) model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('errors are one clear line', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await load('grootv/grootv_tiny_module.pth');
    const image = tf.zeros<tf.Rank.R3>([32, 32, 3]);
    const two = tf.zeros<tf.Rank.R4>([2, 32, 32, 3]);
    const grey = tf.zeros<tf.Rank.R3>([32, 32, 1]);
    t.throws(() => model.logits(grey), {
      message: /GrootV\.logits: the image has shape \[32, 32, 1\], expected \[H, W, 3\]/,
    });
    await t.rejects(model.tree(image, { block: 4 }), {
      message: /block is 4, expected an integer from 0 to 3/,
    });
    await t.rejects(model.tree(two), { message: /a batch of 2 images was given, expected one image/ });
    await t.rejects(model.affinity(image, { x: 0, y: 0, scan: 'column' as 'raster' }), {
      message: 'GrootV.affinity: scan is "column", expected "raster"',
    });
    await t.rejects(model.affinity(image, { x: 32, y: 0 }), {
      message: /\(32, 0\) is outside the image of 32 x 32/,
    });
    tf.dispose([image, two, grey]);
    model.dispose();
  });
  t.equal(leaked, 0);
  await t.rejects(
    GrootV.load(
      tf.io.fromMemory({
        modelTopology: { node: [], versions: {} },
        weightSpecs: [],
        weightData: new ArrayBuffer(0),
      }),
    ),
    { message: /this is not a GrootV model/ },
  );
  t.throws(() => new MemorySink().artifacts(), { message: /no model has been written/ });
});

for (const [backend, predictions] of [
  ['cpu', 50],
  ['wasm', 1000],
] as const) {
  t.test(`a thousand scans and ${predictions} predictions on ${backend} leave nothing behind`, async (t) => {
    await tf.setBackend(backend);
    const model = await load('grootv/grootv_tiny_fp16.pth');
    const image = tf.zeros<tf.Rank.R4>([1, 32, 32, 3]);
    const x = tf.ones([1, 3, 2]);
    const ids = (values: number[]) => tf.tensor2d([values], [1, 3], 'int32');
    const tree = { order: ids([0, 1, 2]), parent: ids([0, 0, 1]) };
    model.logits(image).dispose();
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    for (let i = 0; i < 1000; i++) treeScan(x, x, tree).dispose();
    for (let i = 0; i < predictions; i++) model.logits(image).dispose();
    t.match(tf.memory(), { numTensors, numBytes, numDataBuffers });
    tf.dispose([image, x, tree.order, tree.parent]);
    model.dispose();
  });
}
