/** Tests kernels that only move elements, against tfjs's cpu backend: the results are equal. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t from 'tap';
import { compare, numbers } from '../testing/compare.js';
import { startCuda } from '../testing/cuda_backend.js';

const cuda = await startCuda();

const DTYPES = ['float32', 'int32', 'bool'] as const;

t.test('transposes', async (t) => {
  const cases: [number[], number[]][] = [
    [
      [3, 5],
      [1, 0],
    ],
    [
      [64, 33],
      [1, 0],
    ],
    [
      [2, 40, 35],
      [0, 2, 1],
    ],
    [
      [2, 14, 14, 24],
      [0, 3, 1, 2],
    ],
    [
      [2, 24, 9, 9],
      [0, 2, 3, 1],
    ],
    [
      [2, 9, 10, 3],
      [0, 3, 1, 2],
    ],
    [
      [3, 8, 16],
      [1, 0, 2],
    ],
    [
      [3, 9, 5, 11],
      [3, 1, 2, 0],
    ],
    [
      [2, 3, 4, 5, 3, 2],
      [5, 3, 1, 4, 2, 0],
    ],
    [
      [1, 7, 1],
      [2, 1, 0],
    ],
    [
      [0, 3],
      [1, 0],
    ],
  ];
  for (const [shape, permutation] of cases) {
    for (const dtype of DTYPES) {
      await compare(t, `${dtype} [${shape}] to ${permutation}`, () =>
        tf.transpose(numbers(shape, dtype), permutation),
      );
    }
  }
  const permuted = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }).chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.shuffledSubarray(
        shape.map((_, axis) => axis),
        { minLength: shape.length },
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(permuted, fc.constantFrom(...DTYPES), async ([shape, permutation], dtype) => {
      await compare(t, `${dtype} [${shape}] to ${permutation}`, () =>
        tf.transpose(numbers(shape, dtype), permutation),
      );
    }),
    { numRuns: 80 },
  );
});

t.test('what moves nothing is not copied', (t) => {
  const x = numbers([4, 1, 6]);
  tf.square(x).dispose(); // moves x to the device
  const before = cuda.counts().launches;
  const bytes = () => (tf.memory() as tf.MemoryInfo & { numBytesOnDevice: number }).numBytesOnDevice;
  const held = bytes();
  const same = [
    tf.transpose(x, [1, 0, 2]),
    tf.slice(x, [0, 0, 0], [4, 1, 6]),
    tf.tile(x, [1, 1, 1]),
    tf.pad(x, [
      [0, 0],
      [0, 0],
      [0, 0],
    ]),
    tf.reverse(x, [1]),
    tf.concat([x, tf.zeros([0, 1, 6])]),
    ...tf.split(x, 1),
  ];
  t.equal(cuda.counts().launches, before);
  t.equal(bytes() - held, 0);
  x.dispose();
  for (const tensor of same) t.equal(tensor.dataSync().length, 24, 'and outlives its first tensor');
  tf.dispose(same);
  t.end();
});

t.test('slices', async (t) => {
  const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  const parts = shapes.chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.tuple(...shape.map((extent) => fc.tuple(fc.integer({ min: 0, max: extent - 1 }), fc.nat(extent)))),
    ),
  );
  await fc.assert(
    fc.asyncProperty(parts, fc.constantFrom(...DTYPES), async ([shape, ranges], dtype) => {
      const begin = ranges.map(([first]) => first);
      const size = ranges.map(([first, length], axis) => Math.min(length, shape[axis] - first));
      await compare(t, `${dtype} [${shape}] from ${begin}, ${size}`, () =>
        tf.slice(numbers(shape, dtype), begin, size),
      );
    }),
    { numRuns: 80 },
  );
  await compare(t, 'rows of 16 bytes', () => tf.slice(numbers([5, 6, 8]), [1, 2, 4], [3, 3, 4]));
});

t.test('slices with strides', async (t) => {
  const x = (dtype: (typeof DTYPES)[number] = 'float32') => numbers([5, 8, 6], dtype);
  for (const dtype of DTYPES) {
    await compare(t, `${dtype} forward`, () => tf.stridedSlice(x(dtype), [1, 0, 2], [5, 8, 6], [2, 3, 1]));
    await compare(t, `${dtype} backward`, () =>
      tf.stridedSlice(x(dtype), [4, -1, 5], [0, -9, 1], [-1, -3, -2]),
    );
  }
  await compare(t, 'whole axes', () => tf.stridedSlice(x(), [3, 0, 4], [1, 1, 1], [-1, 2, 1], 2, 6));
  await compare(t, 'fewer axes', () => tf.stridedSlice(x(), [1, 2], [2, 8], [1, 1], 0, 0, 0, 0, 1));
  await compare(t, 'more axes', () => tf.stridedSlice(x(), [0, 1], [0, 4], [1, 2], 0, 0, 0, 1));
  await compare(t, 'nothing', () => tf.stridedSlice(x(), [2, 0, 0], [2, 8, 6], [1, 1, 1]));
  t.same(
    tf.tidy(() => tf.stridedSlice(x(), [3, 0, 0], [1, 8, 6], [1, 1, 1]).shape),
    [0, 8, 6],
    'what ends before it begins, at which the cpu backend throws',
  );
  const shrunk = tf.tidy(() =>
    tf.stridedSlice(x(), [2, 0, 1], [3, 8, 6], [1, 3, 2], 0, 0, 0, 0, 1).arraySync(),
  );
  const rows = tf.tidy(() => x().arraySync()) as number[][][];
  t.same(
    shrunk,
    [0, 3, 6].map((i) => [1, 3, 5].map((j) => rows[2][i][j])),
    'an axis less and strides, which the cpu backend mixes up',
  );
});

t.test('parts of a tensor', async (t) => {
  for (const dtype of DTYPES) {
    const x = () => numbers([6, 4, 9], dtype);
    for (const axis of [0, 1, 2]) {
      await compare(t, `${dtype} split along ${axis}`, () => tf.split(x(), x().shape[axis], axis));
      await compare(t, `${dtype} unstack along ${axis}`, () => tf.unstack(x(), axis));
    }
    await compare(t, `${dtype} in parts`, () => tf.split(x(), [2, 0, 6, 1], 2));
    await compare(t, `${dtype} backwards`, () => [
      tf.reverse(x()),
      tf.reverse(x(), 1),
      tf.reverse(x(), [0, -1]),
    ]);
    await compare(t, `${dtype} flipped`, () => tf.reverse(numbers([2, 3, 5, 3], dtype), 2));
  }
  await compare(t, 'flipLeftRight', () => tf.image.flipLeftRight(numbers([2, 3, 5, 3]) as tf.Tensor4D));
});
