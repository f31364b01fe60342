/** Tests reduce.cu, softmax.cu and scan.cu against tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t from 'tap';
import { compare, numbers } from '../testing/compare.js';
import { relativeDifference, startCuda } from '../testing/cuda_backend.js';
import { columnsOf } from './reductions.js';

await startCuda();

/** Relative to the largest value. */
const CLOSE = 1e-6;
const DTYPES = ['float32', 'int32', 'bool'] as const;
/** Rows and columns, short and long, split into pieces, and several groups of axes. */
const CASES: [number[], number[] | undefined][] = [
  [[], undefined],
  [[1], undefined],
  [[7], undefined],
  [[40_001], undefined],
  [[5, 3], [1]],
  [[5, 70], [1]],
  [[33, 1500], [1]],
  [[2, 9011], [1]],
  [[3000, 9], [1]],
  [[5, 3], [0]],
  [[130, 3], [0]],
  [[5001, 5], [0]],
  [[4, 300], [0]],
  [[700, 70], [0]],
  [[2, 17, 40], [1]],
  [
    [6, 5, 4],
    [0, 2],
  ],
  [
    [3, 1, 5, 2, 7],
    [0, 2, 4],
  ],
  [
    [3, 4, 5, 6],
    [1, 3],
  ],
  [[4, 1, 3], [1]],
  [[0, 3], [1]],
  [[3, 0], [1]],
  [
    [3, 0, 2],
    [0, 1],
  ],
];

t.test('sums, means, products, extremes', async (t) => {
  for (const [shape, axes] of CASES) {
    for (const dtype of DTYPES) {
      for (const keepDims of [false, true]) {
        const what = `${dtype} [${shape}] over [${axes}]`;
        const x = () => numbers(shape, dtype);
        await compare(t, `sum ${what}`, () => tf.sum(x(), axes, keepDims), CLOSE);
        await compare(t, `mean ${what}`, () => tf.mean(x(), axes, keepDims), CLOSE);
        await compare(t, `max ${what}`, () => tf.max(x(), axes, keepDims));
        await compare(t, `min ${what}`, () => tf.min(x(), axes, keepDims));
        const nearOne = () =>
          dtype === 'float32' ? tf.add(1, tf.mul(x(), 1e-3)) : tf.notEqual(x(), 3).cast(dtype);
        await compare(t, `prod ${what}`, () => tf.prod(nearOne(), axes, keepDims), CLOSE);
      }
    }
    for (const share of [3, 9]) {
      const x = () => tf.less(numbers(shape, 'int32'), share);
      await compare(t, `all [${shape}] over [${axes}]`, () => tf.all(x(), axes));
      await compare(t, `any [${shape}] over [${axes}]`, () => tf.any(tf.logicalNot(x()), axes));
    }
  }
});

t.test('where the extremes are', async (t) => {
  for (const [shape, axes = [0]] of CASES) {
    if (shape.length === 0) continue;
    for (const dtype of DTYPES) {
      const what = `${dtype} [${shape}] along ${axes[0]}`;
      await compare(t, `argMax ${what}`, () => tf.argMax(numbers(shape, dtype), axes[0]));
      await compare(t, `argMin ${what}`, () => tf.argMin(numbers(shape, dtype), axes[0]));
    }
  }
});

t.test('NaN, infinities and large integers', async (t) => {
  const special = fc.array(
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 2),
    { minLength: 1, maxLength: 70 },
  );
  await fc.assert(
    fc.asyncProperty(special, async (values) => {
      const x = () => tf.tensor1d(values);
      await compare(t, `of ${values}`, () => [
        tf.max(x()),
        tf.min(x()),
        tf.sum(x()),
        tf.argMax(x()),
        tf.argMin(x()),
      ]);
    }),
    { numRuns: 60 },
  );
  const large = [2147483647, 2147483647, -5, 1 << 30, 2147483647];
  await compare(t, 'sum modulo 2^32', () => tf.sum(tf.tensor1d(large, 'int32')));
});

t.test('any axes', async (t) => {
  const cases = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.boolean()), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(cases, async (axes) => {
      const shape = axes.map(([extent]) => extent);
      const reduced = axes.flatMap(([, isReduced], axis) => (isReduced ? [axis] : []));
      await compare(t, `[${shape}] over [${reduced}]`, () => tf.sum(numbers(shape), reduced), CLOSE);
      const groups = columnsOf(shape, reduced);
      const left = groups.reduce((size, { length }) => size / length, tf.util.sizeFromShape(shape));
      const expected = axes.reduce((size, [extent, isReduced]) => (isReduced ? size : size * extent), 1);
      t.equal(left, expected, 'groups cover the axes');
    }),
    { numRuns: 60 },
  );
});

t.test('a sum has the same bits every time', (t) => {
  const x = numbers([3, 50_000]);
  const sum = () => tf.tidy(() => tf.sum(x, 1).dataSync());
  const first = sum();
  for (let i = 0; i < 5; i++) t.same(sum(), first);
  x.dispose();
  t.end();
});

t.test('softmax', async (t) => {
  for (const shape of [[1], [5, 3], [2, 7, 100], [9, 1000], [3, 5000], [0, 4], [4, 0]]) {
    await compare(t, `softmax [${shape}]`, () => tf.softmax(tf.mul(numbers(shape), 20)), CLOSE);
    await compare(t, `logSoftmax [${shape}]`, () => tf.logSoftmax(tf.mul(numbers(shape), 20)), CLOSE);
  }
  const [nan, infinity] = [Number.NaN, Number.POSITIVE_INFINITY];
  await compare(t, 'special values', () =>
    tf.softmax(tf.tensor2d([nan, 1, -infinity, -infinity, infinity, 1, -infinity, 0], [4, 2])),
  );
});

/** Cumulative sums or products in float64. tfjs's cpu rounds after every step, and is not a reference for floats. */
function running(
  x: tf.Tensor,
  axis: number,
  [exclusive, reverse]: readonly [boolean, boolean],
  combine: (a: number, b: number) => number,
  start: number,
): number[] {
  const values = x.dataSync();
  const length = x.shape[axis];
  const inner = tf.util.sizeFromShape(x.shape.slice(axis + 1));
  const results = new Array<number>(values.length);
  for (let column = 0; column < values.length / Math.max(1, length); column++) {
    let sum = start;
    for (let step = 0; step < length; step++) {
      const along = reverse ? length - 1 - step : step;
      const at = (Math.floor(column / inner) * length + along) * inner + (column % inner);
      const next = combine(sum, values[at]);
      results[at] = exclusive ? sum : next;
      sum = next;
    }
  }
  return results;
}

const COLUMNS: [number[], number][] = [
  [[1], 0],
  [[31], 0],
  [[257], 0],
  [[20_011], 0],
  [[3, 600], 1],
  [[70, 3], 0],
  [[4, 50, 6], 1],
  [[2, 5, 300], 1],
  [[0, 3], 1],
  [[3, 0], 1],
];
const MODES = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

t.test('running sums and products of integers and booleans', async (t) => {
  for (const [shape, axis] of COLUMNS) {
    for (const dtype of ['int32', 'bool'] as const) {
      for (const [exclusive, reverse] of MODES) {
        const what = `${dtype} [${shape}] along ${axis}, ${exclusive}, ${reverse}`;
        const x = () => numbers(shape, dtype);
        const signs = () => tf.sub(1, tf.mul(2, tf.notEqual(x(), 1).cast('int32'))).cast('int32');
        await compare(t, `cumsum ${what}`, () => tf.cumsum(x(), axis, exclusive, reverse));
        await compare(t, `cumprod ${what}`, () => tf.cumprod(signs(), axis, exclusive, reverse));
      }
    }
  }
});

t.test('running sums and products of floats', (t) => {
  for (const [shape, axis] of COLUMNS) {
    for (const mode of MODES) {
      tf.tidy(() => {
        const x = numbers(shape);
        const nearOne = tf.add(1, tf.mul(x, 1e-3));
        const sums = running(x, axis, mode, (a, b) => a + b, 0);
        const products = running(nearOne, axis, mode, (a, b) => a * b, 1);
        for (const [name, found, expected] of [
          ['cumsum', tf.cumsum(x, axis, ...mode), sums],
          ['cumprod', tf.cumprod(nearOne, axis, ...mode), products],
        ] as const) {
          const difference = relativeDifference(tf.tensor(expected, shape, 'float32'), found);
          t.ok(difference <= CLOSE, `${name} [${shape}] along ${axis}, ${mode}: ${difference}`);
        }
      });
    }
  }
  t.end();
});
