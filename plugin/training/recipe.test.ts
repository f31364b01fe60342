/** Tests the parts of a recipe: learning rates, which parameters decay, losses, mixed batches. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { readFixture } from '../../testing/fixtures.js';
import { loadConverted } from '../../testing/models.js';
import {
  clipByGlobalNorm,
  cosineSchedule,
  crossEntropy,
  cutmix,
  decayedParameters,
  mixup,
  RandomNumbers,
  trainable,
} from './index.js';

const close = (given: ArrayLike<number>, expected: readonly number[], within = 1e-6) =>
  given.length === expected.length && expected.every((value, i) => Math.abs(given[i] - value) <= within);

t.test('cosineSchedule: warm-up, half a cosine from step 0, the end', (t) => {
  const rate = cosineSchedule({ start: 5e-5, peak: 5e-4, end: 5e-6, warmup: 5, steps: 20 });
  const { values } = readFixture('training/nano_adamw_short.safetensors').tensor('lr');
  t.ok(close([0, 1, 2].map(rate), Array.from(values), 1e-10));
  const at5 = 5e-6 + 0.5 * 4.95e-4 * (1 + Math.cos(Math.PI / 4));
  t.ok(close([5, 20, 30].map(rate), [at5, 5e-6, 5e-6], 1e-12));
  t.throws(() => cosineSchedule({ peak: -1, end: 0, steps: 1 }), /peak is -1/);
  t.throws(() => cosineSchedule({ peak: 1, end: 0, steps: 0 }), /steps is 0/);
  t.end();
});

t.test('the parameters that decay are those of the authors', async (t) => {
  await tf.setBackend('cpu');
  const { model } = await loadConverted('grootv/grootv_nano_mnist.pth');
  const trained = trainable(model);
  const decays = decayedParameters(trained);
  const { metadata } = readFixture('training/nano_adamw_short.safetensors');
  const listed = (key: string): string[] => JSON.parse(String(metadata[key])).sort();
  const names = trained.variables.map(({ name }) => name);
  t.same(names.filter(decays).sort(), listed('decay'));
  t.same(names.filter((name) => !decays(name)).sort(), listed('no_decay'));
  trained.dispose();
  model.dispose();
});

for (const backend of ['cpu', 'wasm'] as const) {
  t.test(`losses, clipping and mixing on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, () => {
      tf.tidy(() => {
        const logits = tf.tensor2d([1, 2, 3, 0, 0, 0], [2, 3]);
        const rows = [
          [1, 2, 3],
          [0, 0, 0],
        ].map((row) => row.map((x) => x - Math.log(row.reduce((sum, y) => sum + Math.exp(y), 0))));
        const labels = tf.tensor1d([0, 2], 'int32');
        const hard = -(rows[0][0] + rows[1][2]) / 2;
        const even = -(rows[0].reduce((a, b) => a + b) + rows[1].reduce((a, b) => a + b)) / 6;
        t.ok(close(crossEntropy(logits, labels).dataSync(), [hard]), 'labels');
        const smooth = crossEntropy(logits, labels, { labelSmoothing: 0.1 });
        t.ok(close(smooth.dataSync(), [0.9 * hard + 0.1 * even]), 'smoothed');
        const soft = tf.tensor2d([1, 0, 0, 0, 0, 1], [2, 3]);
        t.ok(close(crossEntropy(logits, soft).dataSync(), [hard]), 'probabilities');
        const ignoring = tf.tensor1d([0, 255], 'int32');
        const alone = crossEntropy(logits, ignoring, { ignoreIndex: 255 });
        t.ok(close(alone.dataSync(), [-rows[0][0]]), 'ignored: no part of sum and mean');
        const smoothAlone = crossEntropy(logits, ignoring, { ignoreIndex: 255, labelSmoothing: 0.1 });
        const mean = rows[0].reduce((a, b) => a + b) / 3;
        t.ok(close(smoothAlone.dataSync(), [-0.9 * rows[0][0] - 0.1 * mean]), 'ignored, smoothed');
        const gradient = tf.grad((x: tf.Tensor) => crossEntropy(x, ignoring, { ignoreIndex: 255 }))(logits);
        const [p0, p1, p2] = rows[0].map(Math.exp);
        t.ok(close(gradient.dataSync(), [p0 - 1, p1, p2, 0, 0, 0]), 'no gradient of what is ignored');
        t.ok(close(crossEntropy(logits, tf.tensor1d([7, 7], 'int32'), { ignoreIndex: 7 }).dataSync(), [0]));
        const pixels = tf.reshape(tf.concat([logits, logits]), [1, 2, 2, 3]);
        const classes = tf.tensor3d([0, 255, 255, 255], [1, 2, 2], 'int32');
        t.ok(close(crossEntropy(pixels, classes, { ignoreIndex: 255 }).dataSync(), [-rows[0][0]]), 'pixels');
        t.throws(() => crossEntropy(logits, soft, { ignoreIndex: 255 }), /these are probabilities/);
        t.throws(
          () => crossEntropy(logits, tf.tensor1d([1], 'int32')),
          /targets are int32 \[1\], expected int32 \[2\]/,
        );

        const { gradients, norm } = clipByGlobalNorm({ a: tf.tensor1d([3]), b: tf.tensor1d([4, 0]) }, 1);
        t.ok(close(norm.dataSync(), [5]));
        t.ok(close(gradients.a.dataSync(), [3 / (5 + 1e-6)]), 'scaled');
        const small = clipByGlobalNorm({ a: tf.tensor1d([3]) }, 5).gradients;
        t.ok(close(small.a.dataSync(), [3]), 'not enlarged');

        const images = tf.concat([tf.zeros([1, 8, 8, 3]), tf.ones([1, 8, 8, 3])]) as tf.Tensor4D;
        for (const mix of [mixup, cutmix]) {
          const mixed = mix(images, labels, { alpha: 0.8, classes: 3, random: new RandomNumbers(5) });
          const [share] = mixed.targets.dataSync();
          t.ok(share > 0 && share < 1, `${mix.name}: ${share}`);
          t.ok(close(mixed.targets.dataSync(), [share, 0, 1 - share, 1 - share, 0, share]), 'targets');
          // The fraction of ones in the first image is the share of the second image's class.
          const means = tf.mean(mixed.images, [1, 2, 3]).dataSync();
          t.ok(close(means, [1 - share, share], 1e-5), 'images');
        }
      });
    });
    t.equal(leaked, 0);
  });
}
