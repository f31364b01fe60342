/** The bench, in a page: counts only, since times of a test machine are no claim. */

import * as tf from '@tensorflow/tfjs-core';
import { compileFewerShaders } from '../../../conformance/runners/standard.js';
import { boruvkaMSTSpec } from '../../../plugin/ops/boruvka_mst.spec.js';
import { toTensor } from '../../../testing/reference_trees.js';
import { benchWebgl, type GpuCost, measureGpuCost } from './bench.js';
import '../index.js';
import { loadModel } from './page_models.js';
import { fetchFixture, pageTest } from './page_test.js';

const show = ({ draws, readBacks, uploadedBytes, milliseconds }: GpuCost) =>
  `${draws} draws, ${readBacks} read-backs, ${uploadedBytes} bytes, ${milliseconds.toFixed(1)} ms`;

compileFewerShaders();

pageTest('the bench', async (t) => {
  const before = tf.memory().numTensors;
  const { renderer, isSoftware, costs } = await benchWebgl([{ side: 7, channels: 16, batch: 2 }]);
  t.equal(
    tf.memory().numTensors,
    before,
    `tensors left behind, on ${renderer}${isSoftware ? ' (software)' : ''}`,
  );
  for (const cost of costs) {
    t.ok(
      cost.draws > 0 &&
        cost.readBacks ===
          (/, host$/.test(cost.what) || cost.what.endsWith(`: ${boruvkaMSTSpec.op.name}`) ? 1 : 0),
      `${cost.what}: ${show(cost)}`,
    );
  }
});

pageTest('a prediction', async (t) => {
  const expected = await fetchFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const { model } = await loadModel('grootv/grootv_nano_mnist.pth');
  const image = tf.tidy(() => {
    const grey = tf
      .slice(toTensor(expected.tensor('images_u8')), 0, 1)
      .reshape([1, 28, 28, 1]) as tf.Tensor4D;
    return tf.tile(tf.image.resizeBilinear(grey, [64, 64], false, true), [1, 1, 1, 3]);
  });
  const cost = await measureGpuCost('prediction', () => model.predict(image) as tf.Tensor);
  t.equal(cost.readBacks, 5, `one read-back for each of five trees: ${show(cost)}`);
  model.dispose();
  image.dispose();
});
