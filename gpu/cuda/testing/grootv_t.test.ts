/** GrootV-T at full size, with random weights, from the image to its logits on the backend `cuda`. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import t from 'tap';
import { argmax, loadGrootVT, OWN_TREES, pinned, predictOn, testImage } from '../../../testing/grootv_t.js';
import { maxDifference } from '../../../testing/measure.js';
import '../../../wasm/index.js';
import '../index.js';
import { startCuda } from '../backend/testing/cuda_backend.js';

/** Tolerance of logits with the same trees: docs/numerics.md. */
const SAME_TREES = 1e-4;

t.test('GrootV-T', async (t) => {
  const reference = await predictOn('wasm');
  const cuda = await startCuda();
  const model = await loadGrootVT();
  const image = testImage();
  const trees = pinned(reference);
  tf.dispose(model.execute({ image, ...trees })); // weights are moved to the device, orders are checked
  const [tensors, counted] = [tf.memory().numTensors, cuda.counts()];

  const own = model.execute({ image }) as tf.Tensor;
  t.equal(cuda.counts().downloads, counted.downloads, 'nothing is read back on the way');
  t.comment(`${cuda.counts().launches - counted.launches} launches`);
  const logits = (await own.data()) as Float32Array;
  t.ok(maxDifference(logits, reference.logits) <= OWN_TREES, 'own trees');
  t.equal(argmax(logits), argmax(reference.logits));

  const withTrees = model.execute({ image, ...trees }) as tf.Tensor;
  const difference = maxDifference(await withTrees.data(), reference.logits);
  t.ok(difference <= SAME_TREES, `the same trees: ${difference}`);
  tf.dispose([own, withTrees]);
  t.equal(tf.memory().numTensors, tensors, 'nothing is left');
  tf.dispose([image, trees]);
  model.dispose();
});
