/** Tests the memory of whole models, in a page. For their values see the conformance suite; gradients: training_page.ts. */
import * as tf from '@tensorflow/tfjs-core';
import { toTensor } from '../../../testing/reference_trees.js';
import '../index.js';
import { countGpuWork } from './measure.js';
import { loadModel } from './page_models.js';
import { fetchFixture, quickPageTest } from './page_test.js';

quickPageTest('predictions leave nothing behind', async (t) => {
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
