/** Whole models in a page, against the authors' code. */
import * as tf from '@tensorflow/tfjs-core';
import { maxDifference } from '../../../testing/measure.js';
import { pinnedTrees, toChannelsLast, toTensor } from '../../../testing/reference_trees.js';
import '../index.js';
import { countGpuWork } from './measure.js';
import { loadModel } from './page_models.js';
import { fetchFixture, type PageTest, pageTest } from './page_test.js';

/** Bounds of the contract, section 5. */
const PINNED = 1e-3;
const OWN_TINY = 1e-3;
const OWN_NANO_MEDIAN = 1e-3;

function argmaxRows(values: ArrayLike<number>, columns: number): number[] {
  const rows = Array.from({ length: values.length / columns }, (_, n) =>
    Array.from(values).slice(n * columns, (n + 1) * columns),
  );
  return rows.map((row) => row.indexOf(Math.max(...row)));
}

function sameArgmax(
  t: PageTest,
  given: ArrayLike<number>,
  wanted: ArrayLike<number>,
  columns: number,
  what: string,
) {
  t.equal(String(argmaxRows(given, columns)), String(argmaxRows(wanted, columns)), what);
}

for (const name of ['layerscale', 'module', 'fp16', 'bf16']) {
  pageTest(`tiny ${name}`, async (t) => {
    const expected = await fetchFixture(`grootv/grootv_tiny_${name}_expected.safetensors`);
    const { model, depths } = await loadModel(`grootv/grootv_tiny_${name}.pth`);
    for (const size of ['32x32', '48x80']) {
      const wanted = expected.tensor(`logits.${size}`).values;
      const [pinned, own] = tf.tidy(() => {
        const normalized = toChannelsLast(expected.tensor(`input.${size}`));
        const feeds = { normalized, ...pinnedTrees(expected, `trees.${size}`, depths) };
        const own = model.predict(toTensor(expected.tensor(`rgb.${size}`))) as tf.Tensor;
        return [(model.execute(feeds, 'logits') as tf.Tensor).dataSync(), own.dataSync()];
      });
      t.atMost(maxDifference(pinned, wanted), PINNED, `${size}: the reference's trees`);
      t.atMost(maxDifference(own, wanted), OWN_TINY, `${size}: its own trees`);
      sameArgmax(t, own, wanted, 7, `${size}: argmax`);
    }
    model.dispose();
  });
}

pageTest('the trained model', async (t) => {
  const expected = await fetchFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const { model, depths } = await loadModel('grootv/grootv_nano_mnist.pth');
  const wanted = expected.tensor('logits_model').values;
  const pinned = tf.tidy(() => {
    const normalized = toChannelsLast(expected.tensor('input_first4'));
    const feeds = { normalized, ...pinnedTrees(expected, 'trees.first4', depths) };
    return (model.execute(feeds, 'logits') as tf.Tensor).dataSync();
  });
  t.atMost(maxDifference(pinned, wanted.slice(0, 40)), PINNED, "four pictures with the reference's trees");
  sameArgmax(t, pinned, wanted.slice(0, 40), 10, 'argmax');
  const own = tf.tidy(() => {
    const grey = tf.tensor4d(Float32Array.from(expected.tensor('images_u8').values), [64, 28, 28, 1]);
    const images = tf.tile(tf.image.resizeBilinear(grey, [64, 64], false, true), [1, 1, 1, 3]);
    return (model.predict(images) as tf.Tensor).dataSync();
  });
  const differences = Array.from({ length: 64 }, (_, n) =>
    maxDifference(own.slice(10 * n, 10 * n + 10), wanted.slice(10 * n, 10 * n + 10)),
  ).sort((a, b) => a - b);
  t.atMost(differences[32], OWN_NANO_MEDIAN, '64 pictures with its own trees: median');
  sameArgmax(t, own, wanted, 10, 'argmax of 64 pictures');
  model.dispose();
});

pageTest('a hundred predictions leave nothing behind', async (t) => {
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
  for (let i = 0; i < 100; i++) await predict();
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
  const wanted = tf.tidy(() => toChannelsLast(expected.tensor('grad_input.32x32')).dataSync());
  const dx = gradient();
  let scale = 0;
  for (const value of wanted) scale = Math.max(scale, Math.abs(value));
  t.atMost(maxDifference(dx.dataSync(), wanted) / scale, 2e-2, 'gradient in the input');
  const before = (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU;
  for (let i = 0; i < 3; i++) {
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
