/** What whole models hold and leave behind, in a page. Their values: see the conformance suite. */
import * as tf from '@tensorflow/tfjs-core';
import { compileFewerShaders } from '../../../conformance/runners/standard.js';
import { pinnedTrees, toChannelsLast, toTensor } from '../../../testing/reference_trees.js';
import '../index.js';
import { countGpuWork } from './measure.js';
import { loadModel } from './page_models.js';
import { fetchFixture, pageTest } from './page_test.js';

compileFewerShaders();

pageTest('predictions leave nothing behind', async (t) => {
  const expected = await fetchFixture('grootv/grootv_tiny_fp16_expected.safetensors');
  const { model } = await loadModel('grootv/grootv_tiny_fp16.pth');
  const image = toTensor(expected.tensor('rgb.32x32'));
  const predict = async () => {
    const logits = model.predict(image) as tf.Tensor;
    await logits.data();
    logits.dispose();
  };
  await predict();
  const before = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
  for (let i = 0; i < 3; i++) await predict();
  const after = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number };
  t.equal(after.numBytesInGPU, before.numBytesInGPU, 'bytes on the GPU');
  t.equal(after.numTensors, before.numTensors, 'tensors');
  t.equal(after.numDataBuffers, before.numDataBuffers, 'data');

  const { counts } = await countGpuWork(predict);
  // One for each tree of more than one vertex, one for the logits.
  t.equal(counts.readBacks, 4, `read-backs of a prediction, ${JSON.stringify(counts)}`);
  model.dispose();
  image.dispose();
});

pageTest('gradients of a whole model leave nothing behind', async (t) => {
  const expected = await fetchFixture('grootv/grootv_tiny_layerscale_expected.safetensors');
  const { model, depths } = await loadModel('grootv/grootv_tiny_layerscale.pth');
  const dy = toTensor(expected.tensor('grad_output.32x32'));
  const normalized = toChannelsLast(expected.tensor('input.32x32'));
  const gradient = () => {
    const feeds = pinnedTrees(expected, 'trees.32x32', depths);
    const dx = tf.grad((x) => model.execute({ normalized: x, ...feeds }, 'logits') as tf.Tensor)(
      normalized,
      dy,
    );
    tf.dispose(feeds);
    return dx;
  };
  gradient().dispose();
  const before = (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU;
  for (let i = 0; i < 2; i++) {
    const again = gradient();
    again.dataSync();
    again.dispose();
  }
  t.equal(
    (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU,
    before,
    'bytes on the GPU',
  );
});
