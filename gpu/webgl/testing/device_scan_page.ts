/** Tests scans and models along trees built in shaders, in a page, and their costs. */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, edgeDissimilarity, gridGraph, treeScan, windowGraph } from '../../../plugin/index.js';
import { selectiveTreeScan } from '../../../plugin/ops/selective_tree_scan.js';
import { maxDifference, relativeDifference } from '../../../testing/measure.js';
import { toTensor } from '../../../testing/reference_trees.js';
import type { TreeBuilder } from '../index.js';
import { countGpuWork } from './measure.js';
import { loadModel } from './page_models.js';
import { fetchFixture, quickPageTest } from './page_test.js';
import { onGpu, withBuilder } from './tree_builders.js';

const SCAN_BOUND = 2e-5;

quickPageTest('scans and gradients along a tree that the host never saw', async (t) => {
  for (const [batch, height, width, channels] of [
    [1, 1, 2, 3],
    [2, 3, 5, 7],
    [1, 1, 300, 4],
    [1, 28, 28, 4],
  ]) {
    const numVertices = height * width;
    const edges = gridGraph(height, width);
    const weights = onGpu([batch, edges.shape[0]]);
    const shape = [batch, numVertices, channels];
    const [x, dy, decay] = [-1, -1, 0].map((low) => tf.randomUniform(shape, low, 1));
    for (const aggregate of ['all', 'root', 'leaves'] as const) {
      const run = (builder: TreeBuilder) =>
        withBuilder(builder, async () => {
          const root = numVertices - 1;
          const tree = boruvkaMST(weights, edges, { numVertices, root });
          const scan = (x: tf.Tensor, decay: tf.Tensor) => treeScan(x, decay, tree, { aggregate });
          const { result, counts } = await countGpuWork(() => [
            scan(x, decay),
            ...tf.grads(scan)([x, decay], dy),
          ]);
          const values = result.map((tensor) => tensor.dataSync());
          tf.dispose(result);
          tree.dispose();
          return { values, counts };
        });
      const wanted = await run('host');
      const given = await run('device');
      t.equal(given.counts.readBacks, 0, `${shape} ${aggregate}: read-backs`);
      given.values.forEach((values, i) => {
        const what = `${shape} ${aggregate} ${['y', 'dx', 'ddecay'][i]}`;
        t.atMost(relativeDifference(values, wanted.values[i]), SCAN_BOUND, what);
      });
    }
    tf.dispose([edges, weights, x, dy, decay]);
  }
});

quickPageTest('a selective scan along such a tree', async (t) => {
  const [batch, length, channels, states] = [2, 37, 6, 3];
  const edges = windowGraph(length, { promptLength: 11 });
  const weights = onGpu([batch, edges.shape[0]]);
  const inputs = {
    step: tf.randomUniform([batch, length, channels], 0.1, 1),
    deltaU: tf.randomNormal([batch, length, channels]),
    logA: tf.randomNormal([channels, states]),
    inputGate: tf.randomNormal([batch, length, states]),
    outputGate: tf.randomNormal([batch, length, states]),
  };
  const run = (builder: TreeBuilder) =>
    withBuilder(builder, () =>
      countGpuWork(() => selectiveTreeScan(inputs, boruvkaMST(weights, edges, { numVertices: length }))),
    );
  const wanted = await run('host');
  const given = await run('device');
  t.equal(given.counts.readBacks, 0, 'read-backs');
  for (const name of ['y', 'nextState'] as const) {
    const difference = relativeDifference(given.result[name].dataSync(), wanted.result[name].dataSync());
    t.atMost(difference, SCAN_BOUND, name);
  }
});

quickPageTest('draws of a tree, its tables and a scan', async (t) => {
  await withBuilder('device', async () => {
    for (const [side, batches, tree, first, later] of [
      [56, [1], 39, 31, 27],
      [28, [8], 35, 27, 23],
      [14, [1, 8], 31, 22, 19],
      [7, [8], 25, 18, 15],
    ] as const) {
      for (const batch of batches) {
        const edges = gridGraph(side, side);
        const numVertices = side * side;
        const shape = [batch, numVertices, 8];
        const features = tf.tidy(() => tf.add(tf.randomNormal(shape), 0));
        const [x, decay] = [tf.randomNormal(shape), tf.randomUniform(shape)];
        const choose = () => {
          const weights = edgeDissimilarity(features, edges);
          const made = boruvkaMST(weights, edges, { numVertices });
          weights.dispose();
          return made;
        };
        const warm = choose();
        tf.dispose([treeScan(x, decay, warm), edgeDissimilarity(x, edges), edgeDissimilarity(decay, edges)]);
        warm.dispose();
        const { result: made, counts: ofTree } = await countGpuWork(choose);
        const { result: y, counts: ofFirst } = await countGpuWork(() => treeScan(x, decay, made));
        const { result: z, counts: ofLater } = await countGpuWork(() => treeScan(x, decay, made));
        const what = `${side} x ${side}, batch ${batch}`;
        t.atMost(ofTree.draws, tree, `${what}: draws of edge weights and tree`);
        t.atMost(ofFirst.draws, first, `${what}: draws of the first scan`);
        t.atMost(ofLater.draws, later, `${what}: draws of a later scan`);
        for (const { readBacks, uploads } of [ofTree, ofFirst, ofLater]) {
          t.equal(readBacks + uploads, 0, `${what}: read-backs and uploads`);
        }
        tf.dispose([edges, features, x, decay, y, z]);
        made.dispose();
      }
    }
  });
});

quickPageTest('a model reads back nothing but its logits, and leaves nothing behind', async (t) => {
  const expected = await fetchFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const { model } = await loadModel('grootv/grootv_nano_mnist.pth');
  const image = tf.tidy(() => {
    const grey = tf
      .slice(toTensor(expected.tensor('images_u8')), 0, 1)
      .reshape([1, 28, 28, 1]) as tf.Tensor4D;
    return tf.tile(tf.image.resizeBilinear(grey, [64, 64], false, true), [1, 1, 1, 3]);
  });
  const predict = async () => {
    const logits = model.predict(image) as tf.Tensor;
    const values = await logits.data();
    logits.dispose();
    return values;
  };
  const wanted = await predict();
  await withBuilder('device', async () => {
    await predict();
    const before = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
    const { result, counts } = await countGpuWork(predict);
    await predict();
    const after = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
    t.equal(counts.readBacks, 1, `read-backs of a prediction, ${JSON.stringify(counts)}`);
    t.atMost(maxDifference(result, wanted), 1e-5, 'logits');
    t.equal(after.numBytesInGPU, before.numBytesInGPU, 'bytes on the GPU');
    t.equal(after.numDataBuffers, before.numDataBuffers, 'data');
  });
  model.dispose();
  image.dispose();
});
