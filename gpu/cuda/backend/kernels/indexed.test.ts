/** Tests gather.cu, scatter.cu and resize.cu against tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { compare, numbers } from '../testing/compare.js';
import { onBoth, relativeDifference, startCuda } from '../testing/cuda_backend.js';

await startCuda();

/** Relative to the largest value: sums of a few float32 terms against sums in float64. */
const CLOSE = 1e-6;
const DTYPES = ['float32', 'int32', 'bool'] as const;

/** Indices from 0 to below `limit`, each several times. */
function indices(shape: number[], limit: number): tf.Tensor {
  const values = Int32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => (i * i * 7 + i) % limit);
  return tf.tensor(values, shape, 'int32');
}

t.test('rows by their numbers', async (t) => {
  for (const dtype of DTYPES) {
    for (const slice of [1, 3, 4, 16]) {
      const x = () => numbers([5, 6, slice], dtype);
      for (const axis of [0, 1, 2]) {
        await compare(t, `${dtype} gather along ${axis} of ${slice}`, () =>
          tf.gather(x(), indices([2, 7], x().shape[axis]), axis),
        );
      }
      await compare(t, `${dtype} gather in batches of ${slice}`, () =>
        tf.gather(x(), indices([5, 3], 6), 1, 1),
      );
      for (const depth of [1, 2, 3]) {
        const limit = Math.min(5, ...[5, 6, slice].slice(0, depth));
        await compare(t, `${dtype} points of ${depth} axes of ${slice}`, () =>
          tf.gatherND(x(), indices([4, 3, depth], limit)),
        );
      }
    }
  }
  await compare(t, 'no rows', () => tf.gather(numbers([4, 3]), tf.tensor1d([], 'int32')));
});

t.test('an index out of range reads nothing that is not there', (t) => {
  const x = numbers([4, 3]);
  const outside = tf.tensor1d([1, 4, -1, 1_000_000], 'int32');
  tf.square(outside).dispose(); // moves it to the device
  const y = tf.gather(x, outside).arraySync() as number[][];
  t.same(y[0], (x.arraySync() as number[][])[1]);
  t.same(
    y.slice(1),
    [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ],
    'zeros',
  );
  tf.dispose([x, outside]);
  t.end();
});

t.test('a row of more than 65535 tiles', async (t) => {
  const length = 256 * 65_535 + 5;
  const { expected, found } = await onBoth(() => {
    const row = tf.reshape(tf.range(0, length), [1, length]);
    return tf.scatterND(tf.tensor2d([1], [1, 1], 'int32'), row, [2, length]);
  });
  t.equal(relativeDifference(expected[0], found[0]), 0);
  tf.dispose([expected, found]);
});

t.test('rows added', async (t) => {
  for (const slice of [1, 3, 40, 300]) {
    for (const dtype of ['float32', 'int32'] as const) {
      await compare(
        t,
        `scatterND ${dtype} of ${slice}`,
        () => tf.scatterND(indices([700, 1], 90), numbers([700, slice], dtype), [100, slice]),
        CLOSE,
      );
    }
    await compare(
      t,
      `unsortedSegmentSum of ${slice}`,
      () => tf.unsortedSegmentSum(numbers([300, slice]), indices([300], 17) as tf.Tensor1D, 20),
      CLOSE,
    );
  }
  await compare(t, 'points', () => tf.scatterND(indices([50, 2], 4), numbers([50], 'int32'), [4, 6]));
  await compare(t, 'no updates', () => tf.scatterND(tf.zeros([0, 1], 'int32'), tf.zeros([0, 3]), [4, 3]));
  await compare(t, 'segments of integers', () =>
    tf.unsortedSegmentSum(numbers([30, 2], 'int32'), indices([30], 7) as tf.Tensor1D, 7),
  );
  await compare(
    t,
    'the gradient of gather',
    () => tf.grad((x) => tf.gather(x, indices([40], 9)).square())(numbers([9, 5])),
    CLOSE,
  );
});

t.test('a sum of rows has the same bits every time', (t) => {
  const x = numbers([2000, 3]);
  const rows = indices([2000], 3) as tf.Tensor1D;
  const sum = () => tf.tidy(() => tf.unsortedSegmentSum(x, rows, 3).dataSync());
  const first = sum();
  for (let i = 0; i < 5; i++) t.same(sum(), first);
  tf.dispose([x, rows]);
  t.end();
});

t.test('rows written over', async (t) => {
  for (const dtype of DTYPES) {
    for (const slice of [1, 5, 300]) {
      await compare(t, `${dtype} of ${slice}`, () =>
        tf.tensorScatterUpdate(
          tf.reverse(numbers([50, slice], dtype)),
          indices([600, 1], 37),
          numbers([600, slice], dtype),
        ),
      );
    }
    await compare(t, `${dtype} sparse`, () =>
      tf.sparseToDense(tf.tensor1d([1, 4, 6], 'int32'), numbers([3], dtype), [8], tf.scalar(1, dtype)),
    );
    await compare(t, `${dtype} sparse, one number`, () =>
      tf.sparseToDense(
        tf.tensor2d([0, 1, 2, 0], [2, 2], 'int32'),
        tf.scalar(1, dtype),
        [3, 2],
        tf.scalar(0, dtype),
      ),
    );
  }
});

const SIZES: [number, number][] = [
  [7, 9],
  [14, 18],
  [3, 4],
  [1, 1],
  [20, 5],
];
const MODES = [
  [false, false],
  [true, false],
  [false, true],
] as const;

t.test('images in another size', async (t) => {
  for (const shape of [
    [2, 7, 9, 3],
    [1, 1, 5, 4],
    [0, 4, 4, 1],
  ] as [number, number, number, number][]) {
    for (const dtype of ['float32', 'int32'] as const) {
      for (const size of SIZES) {
        for (const mode of MODES) {
          const what = `${dtype} [${shape}] to ${size}, ${mode}`;
          const x = () => numbers(shape, dtype) as tf.Tensor4D;
          await compare(t, `bilinear ${what}`, () => tf.image.resizeBilinear(x(), size, ...mode), CLOSE);
          await compare(t, `nearest ${what}`, () => tf.image.resizeNearestNeighbor(x(), size, ...mode));
        }
      }
    }
  }
});

t.test('gradients of images in another size', async (t) => {
  for (const size of SIZES) {
    for (const alignCorners of [false, true]) {
      // tfjs's cpu kernels are wrong for images that are not square (bilinear) and batches (nearest): see below.
      const square = (batch: number) => numbers([batch, 6, 6, 3]) as tf.Tensor4D;
      const dy = (batch: number) => numbers([batch, ...size, 3]);
      const bilinear = (x: tf.Tensor) => tf.image.resizeBilinear(x as tf.Tensor4D, size, alignCorners);
      const nearest = (x: tf.Tensor) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size, alignCorners);
      const what = `to ${size}, ${alignCorners}`;
      await compare(t, `bilinear ${what}`, () => tf.grad(bilinear)(square(2), dy(2)), CLOSE);
      await compare(t, `nearest ${what}`, () => tf.grad(nearest)(square(1), dy(1)), CLOSE);
    }
  }
});

t.test('gradients of batches of images that are not square', (t) => {
  // Resizing is linear: <resize(x), dy> = <x, gradient> for all x and dy.
  const exact = (a: tf.Tensor, b: tf.Tensor) => {
    const [x, y] = [Array.from(a.dataSync()), b.dataSync()];
    return x.reduce((sum, value, i) => sum + value * y[i], 0);
  };
  for (const size of SIZES) {
    for (const alignCorners of [false, true]) {
      for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor]) {
        tf.tidy(() => {
          const x = numbers([2, 4, 7, 2]) as tf.Tensor4D;
          const dy = tf.reverse(numbers([2, ...size, 2])) as tf.Tensor4D;
          const resized = (image: tf.Tensor) => resize(image as tf.Tensor4D, size, alignCorners);
          const gradient = tf.grad(resized)(x, dy);
          t.same(gradient.shape, x.shape);
          const [forward, backward] = [exact(resized(x), dy), exact(x, gradient)];
          const scale = Math.sqrt(exact(resized(x), resized(x)) * exact(dy, dy));
          t.ok(
            Math.abs(forward - backward) <= CLOSE * scale,
            `${resize.name} to ${size}: ${forward} ${backward}`,
          );
        });
      }
    }
  }
  t.end();
});
