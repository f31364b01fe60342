import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import type { ConvertOptions } from '../../converters/index.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted } from '../../testing/models.js';
import { GrootV, gridGraph, type Metric, parentDissimilarity, prepareImage } from '../index.js';

async function load(options: ConvertOptions = {}): Promise<GrootV> {
  const { model, sink } = await loadConverted('grootv/grootv_nano_mnist.pth', options);
  model.dispose();
  return GrootV.load(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
}

/** 90 x 64 pixels that differ from one another. */
const IMAGE = {
  width: 90,
  height: 64,
  data: Uint8Array.from({ length: 90 * 64 * 3 }, (_, i) => (i * i * 7 + (i % 3) * 50) % 251),
};

for (const backend of BACKENDS) {
  t.test(`a view says what tree and affinity say, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const model = await load();
      for (const [block, size] of [
        [0, undefined],
        [2, 48],
      ]) {
        const view = await model.view(IMAGE, { block, size });
        t.same(view.tree, await model.tree(IMAGE, { block, size }), `block ${block}`);
        t.same([view.height, view.width], [view.tree?.height, view.tree?.width]);
        const point = { x: 71.5, y: 20 };
        for (const scan of [undefined, 'raster'] as const) {
          const map = await view.affinity({ ...point, scan });
          t.same(map, await model.affinity(IMAGE, { ...point, scan, block, size }), `scan ${scan}`);
          t.equal(map.values[map.anchor.y * map.width + map.anchor.x], 1, 'the pixel that was asked about');
        }
        view.dispose();
      }
      model.dispose();
    });
    t.equal(leaked, 0);
  });

  t.test(`dissimilarities are those of the features that made the tree, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      for (const [options, block, maker] of [
        [{}, 0, 0],
        [{ metric: 'euclidean' }, 3, 3],
        [{ trees: 'stage' }, 3, 2],
      ] as const) {
        const model = await load(options);
        const view = await model.view(IMAGE, { block });
        const { order, parent } = view.tree ?? { order: [], parent: [] };
        const image = tf.tensor4d(Float32Array.from(IMAGE.data), [1, 64, 90, 3]);
        const expected = tf.tidy(() => {
          const features = model.model.execute({ image }, `blocks_${maker}/x`) as tf.Tensor;
          const ids = (values: ArrayLike<number>) => tf.tensor2d([Array.from(values)], undefined, 'int32');
          const metric: Metric = 'metric' in options ? options.metric : 'cosine';
          const byVertex = parentDissimilarity(
            features,
            { order: ids(order), parent: ids(parent) },
            { metric },
          );
          return Float32Array.from(order, (vertex) => byVertex.dataSync()[vertex]);
        });
        const { dissimilarity = [] } = view;
        t.equal(dissimilarity.length, view.height * view.width);
        const scale = Math.max(1, ...Array.from(expected, Math.abs));
        const difference = maxDifference(dissimilarity, expected);
        t.ok(difference <= 1e-5 * scale, `${JSON.stringify(options)}: ${difference} of ${scale}`);
        t.equal(dissimilarity[0], 0, 'the root');
        image.dispose();
        view.dispose();
        model.dispose();
      }
    });
    t.equal(leaked, 0);
  });
}

t.test('a view shows the image that the model saw', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await load();
    const square = { width: 40, height: 40, data: IMAGE.data.slice(0, 40 * 40 * 3) };
    const float = tf.tensor3d(Float32Array.from(square.data), [40, 40, 3]);
    for (const image of [square, float]) {
      const [whole, resized] = [await model.view(image), await model.view(image, { size: 64 })];
      t.same(whole.image, square);
      t.same(resized.image, prepareImage(square, 64));
      for (const view of [whole, resized]) view.dispose();
    }
    const fractions = tf.add(float, 0.25);
    const view = await model.view(fractions as tf.Tensor3D);
    t.same(view.image, square, 'in 8 bits');
    view.dispose();
    tf.dispose([float, fractions]);
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('fixed paths have no dissimilarities, and four paths are not a tree', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    for (const [scan, hasTree] of [
      ['raster', true],
      ['cross', false],
    ] as const) {
      const model = await load({ scan });
      const view = await model.view(IMAGE);
      t.equal(view.dissimilarity, undefined, scan);
      t.equal(view.tree !== undefined, hasTree, scan);
      const map = await view.affinity({ x: 3, y: 50 });
      t.same(map, await model.affinity(IMAGE, { x: 3, y: 50 }), scan);
      view.dispose();
      model.dispose();
    }
  });
  t.equal(leaked, 0);
});

t.test('the edges of a tree are rows of the grid, whatever its extents', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await load();
    for (const [width, height] of [
      [8, 64],
      [64, 8],
      [8, 8],
    ]) {
      const pixels = { width, height, data: IMAGE.data.slice(0, width * height * 3) };
      const view = await model.view(pixels);
      const { order = [], parent = [] } = view.tree ?? {};
      const image = tf.tensor4d(Float32Array.from(pixels.data), [1, height, width, 3]);
      const edges = gridGraph(view.height, view.width);
      const [pairs, weights] = [
        edges.dataSync(),
        tf.tidy(() => (model.model.execute({ image }, 'blocks_0/edge_weights') as tf.Tensor).dataSync()),
      ];
      const expected = Array.from(order, (vertex, i) => {
        const ends = [vertex, order[parent[i]]].sort((a, b) => a - b);
        const row = weights.findIndex((_, e) => pairs[2 * e] === ends[0] && pairs[2 * e + 1] === ends[1]);
        return i === 0 ? 0 : weights[row];
      });
      t.same(Array.from(view.dissimilarity ?? []), expected, `${width} x ${height}`);
      tf.dispose([image, edges]);
      view.dispose();
    }
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('a view that is refused, ended or disposed leaves nothing behind', async (t) => {
  await tf.setBackend('wasm');
  const model = await load();
  const view = await model.view(IMAGE);
  const { numTensors, numBytes, numDataBuffers } = tf.memory();
  const same = (name: string) => t.match(tf.memory(), { numTensors, numBytes, numDataBuffers }, name);

  await t.rejects(model.view(IMAGE, { block: 9 }), {
    message: 'GrootV.view: block is 9, expected an integer from 0 to 4',
  });
  await t.rejects(model.view('nowhere.png'), { message: /^GrootV\.view: / });
  same('refused');
  const reason = new Error('enough');
  await t.rejects(model.view(IMAGE, { signal: AbortSignal.abort(reason) }), reason);
  same('ended before it began');
  const controller = new AbortController();
  const running = model.view(IMAGE, { signal: controller.signal });
  queueMicrotask(() => queueMicrotask(() => controller.abort(reason)));
  await t.rejects(running, reason);
  same('ended on the way');

  for (const point of [{ x: 90, y: 0 }, { x: 0, y: -1 }, { x: Number.NaN, y: 0 }, {}]) {
    await t.rejects(view.affinity(point as never), { message: /is outside the image of 90 x 64 pixels/ });
  }
  await t.rejects(view.affinity(undefined as never), { message: /expected options with x and y/ });
  await t.rejects(view.affinity({ x: 0, y: 0, scan: 'column' as 'raster' }), {
    message: 'GrootV.affinity: scan is "column", expected "raster"',
  });
  for (let i = 0; i < 100; i++) await view.affinity({ x: i % 90, y: i % 64 });
  same('a hundred maps');

  model.dispose();
  await t.resolves(view.affinity({ x: 1, y: 1 }), 'a view does not need the model');
  view.dispose();
  view.dispose();
  t.equal(tf.memory().numTensors, 0);
  await t.rejects(view.affinity({ x: 1, y: 1 }), {
    message: 'GrootV.affinity: the view has been disposed',
  });
  t.equal(view.tree?.order.length, view.height * view.width, 'what was read stays');
});
