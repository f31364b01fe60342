/** Tests pooling.ts and batch_normalization.ts against tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { compareSums, deviceBytes, random } from '../testing/compare.js';
import { startCuda } from '../testing/cuda_backend.js';

await startCuda();

type Pad = 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
const EXPLICIT: Pad = [
  [0, 0],
  [1, 0],
  [2, 1],
  [0, 0],
];

const CASES: readonly [
  shape: [number, number, number, number],
  size: number | [number, number],
  strides: number,
  pad: Pad,
][] = [
  [[1, 1, 1, 1], 1, 1, 'valid'],
  [[2, 6, 7, 5], 2, 2, 'valid'],
  [[2, 6, 7, 5], 3, 2, 'same'],
  [[3, 5, 5, 33], [3, 2], 1, 'same'],
  [[1, 7, 7, 9], 7, 1, 'valid'],
  [[1, 7, 7, 4], 1, 3, 'valid'],
  [[1, 7, 6, 4], 3, 2, 1],
  [[2, 7, 6, 4], 4, 3, EXPLICIT],
];

t.test('pools and their gradients', async (t) => {
  const empty = deviceBytes();
  for (const [shape, size, strides, pad] of CASES) {
    for (const [name, pool] of Object.entries({ maxPool: tf.maxPool, avgPool: tf.avgPool })) {
      const what = `${name} ${JSON.stringify([shape, size, strides, pad])}`;
      const run = (x: tf.Tensor) => pool(x as tf.Tensor4D, size, strides, pad as 'same');
      await compareSums(t, what, () => run(random(shape)));
      const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.square(run(x))));
      await compareSums(t, `gradient of ${what}`, () => gradient(random(shape)));
      // Few distinct values, so that the largest occurs more than once.
      await compareSums(t, `gradient of ${what}, ties`, () => gradient(tf.round(tf.mul(random(shape), 1.5))));
    }
  }
  for (const mode of ['floor', 'round', 'ceil'] as const) {
    await compareSums(t, `extents by ${mode}`, () => {
      const x = random([1, 8, 7, 3]) as tf.Tensor4D;
      return [tf.maxPool(x, 3, 2, 0, mode), tf.avgPool(x, 3, 2, 0, mode)];
    });
  }
  t.equal(deviceBytes(), empty, 'no memory is kept');
});

t.test('pools of values that are not numbers', async (t) => {
  const values = [Number.NaN, 1, Number.NEGATIVE_INFINITY, 2, Number.NaN, Number.NaN, Number.NaN, Number.NaN];
  await compareSums(t, 'NaN and infinities', () => {
    const x = tf.tensor4d(values, [1, 2, 4, 1]);
    return [tf.maxPool(x, 2, 2, 'valid'), tf.avgPool(x, 2, 2, 'valid'), tf.maxPool(x, 1, 2, 'valid')];
  });
  await compareSums(t, 'gradient', () =>
    tf.grad((x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'))(tf.tensor4d(values, [1, 2, 4, 1])),
  );
});

t.test('an image is not touched by a window of one pixel', async (t) => {
  const x = random([1, 3, 3, 2]) as tf.Tensor4D;
  const y = tf.maxPool(x, 1, 1, 'valid');
  t.same(y.dataSync(), x.dataSync());
  x.dispose();
  t.equal(y.dataSync().length, 18, 'and may be read when the image is gone');
  y.dispose();
});

t.test('int32 images fall back to the CPU', async (t) => {
  const x = tf.tensor4d([1, 5, 3, 4], [1, 2, 2, 1], 'int32');
  const y = tf.maxPool(x, 2, 2, 'valid');
  t.equal(y.dtype, 'int32');
  t.same(y.dataSync(), [5]);
  tf.dispose([x, y]);
});

t.test('batch normalisation', async (t) => {
  const positive = (shape: number[], seed: number) => tf.abs(random(shape, seed));
  for (const [shape, moments] of [
    [[2, 3, 4, 5], [5]],
    [[2, 3, 4, 5], [1]],
    [[7, 5], [5]],
    [
      [3, 4, 5],
      [3, 4, 5],
    ],
    [[0, 4], [4]],
  ]) {
    for (const withOffset of [true, false]) {
      for (const withScale of [true, false]) {
        await compareSums(t, JSON.stringify({ shape, moments, withOffset, withScale }), () =>
          tf.batchNorm(
            random(shape),
            random(moments, 2),
            positive(moments, 3),
            withOffset ? random(moments, 4) : undefined,
            withScale ? random(moments, 5) : undefined,
            0.01,
          ),
        );
      }
    }
  }
  await compareSums(t, 'values that repeat by different lengths', () =>
    tf.batchNorm(random([2, 3, 4]), random([4], 2), positive([1], 3), random([4], 4), random([1], 5)),
  );
  const gradients = tf.grads((x: tf.Tensor, mean: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor) =>
    tf.sum(tf.square(tf.batchNorm(x, mean, tf.ones([5]), offset, scale))),
  );
  const given = () => [random([6, 5]), random([5], 2), random([5], 3), random([5], 4)];
  await compareSums(t, 'gradients', () => gradients(given()));
});
