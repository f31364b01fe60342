/** Tests unary.ts and binary.ts against tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { onBoth, relativeDifference, startCuda } from '../testing/cuda_backend.js';

await startCuda();

/** tfjs's functions by name. */
const functions: typeof tf = { ...tf };
/** float32 functions of the device and of JavaScript differ by a few units in the last place. */
const CLOSE = 1e-6;
const SPECIAL = [
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e-40,
  3e38,
];

async function compare(t: Test, what: string, compute: () => tf.Tensor | tf.Tensor[]): Promise<void> {
  const { expected, found } = await onBoth(compute);
  expected.forEach((tensor, i) => {
    const difference = relativeDifference(tensor, found[i]);
    t.ok(difference <= CLOSE, `${what}: ${difference}`);
  });
  tf.dispose([expected, found]);
}

const UNARY = [
  'abs',
  'acos',
  'acosh',
  'asin',
  'asinh',
  'atan',
  'atanh',
  'ceil',
  'cos',
  'cosh',
  'elu',
  'erf',
  'exp',
  'expm1',
  'floor',
  'isFinite',
  'isInf',
  'isNaN',
  'log',
  'log1p',
  'logSigmoid',
  'neg',
  'reciprocal',
  'relu',
  'relu6',
  'round',
  'rsqrt',
  'selu',
  'sigmoid',
  'sign',
  'sin',
  'sinh',
  'softplus',
  'sqrt',
  'square',
  'step',
  'tan',
  'tanh',
] as const;
const INTEGER = ['abs', 'neg', 'relu', 'sign', 'square'] as const;

t.test('unary functions of floats', async (t) => {
  const usual = Array.from({ length: 1001 }, (_, i) => (i - 500) / 97);
  for (const name of UNARY) {
    await compare(t, name, () => functions[name](tf.tensor1d(usual)));
    // Special values one at a time, because a large one would hide the others.
    for (const value of SPECIAL) {
      if (name === 'erf' && value === 1e-40) continue; // tfjs's polynomial gives 0
      await compare(t, `${name}(${value})`, () => functions[name](tf.scalar(value)));
    }
    await compare(t, `${name} of nothing`, () => functions[name](tf.zeros([0, 3])));
  }
});

t.test('unary functions of integers', async (t) => {
  for (const name of INTEGER) {
    await compare(t, name, () =>
      functions[name](tf.tensor1d([-16777216, -7, -1, 0, 1, 9, 46340, 16777216], 'int32')),
    );
  }
});

t.test('functions with constants', async (t) => {
  for (const value of [...SPECIAL, 7, -7]) {
    await compare(t, `clip ${value}`, () => tf.clipByValue(tf.scalar(value), -2, 3));
    await compare(t, `leakyRelu ${value}`, () => tf.leakyRelu(tf.scalar(value), 0.3));
    await compare(t, `step ${value}`, () => tf.step(tf.scalar(value), 0.25));
  }
});

t.test('casts', async (t) => {
  const floats = [0, -0.5, 1.9, -1.9, 2147483648, -3e9, 1e20, Number.NaN, Number.POSITIVE_INFINITY];
  for (const dtype of ['float32', 'int32', 'bool', 'complex64'] as const) {
    await compare(t, `float32 to ${dtype}`, () =>
      tf.real(tf.cast(tf.cast(tf.tensor1d(floats), dtype), 'complex64')),
    );
    await compare(t, `int32 to ${dtype}`, () =>
      tf.cast(tf.cast(tf.tensor1d([0, -3, 7], 'int32'), dtype), 'float32'),
    );
    await compare(t, `bool to ${dtype}`, () =>
      tf.cast(tf.cast(tf.tensor1d([0, 1, 1], 'bool'), dtype), 'float32'),
    );
  }
});

const BINARY = [
  'add',
  'sub',
  'mul',
  'div',
  'floorDiv',
  'maximum',
  'minimum',
  'mod',
  'pow',
  'squaredDifference',
  'atan2',
  'prelu',
] as const;
const COMPARISONS = ['equal', 'notEqual', 'greater', 'greaterEqual', 'less', 'lessEqual'] as const;

t.test('binary functions of special values', async (t) => {
  for (const name of [...BINARY, ...COMPARISONS]) {
    for (const a of SPECIAL) {
      for (const b of SPECIAL)
        await compare(t, `${name}(${a}, ${b})`, () =>
          (functions[name] as (a: tf.Tensor, b: tf.Tensor) => tf.Tensor)(tf.tensor1d([a]), tf.tensor1d([b])),
        );
    }
  }
});

t.test('binary functions of integers and booleans', async (t) => {
  const a = () => tf.tensor2d([5, -5, 7, -7, 2147483647, 46341], [6, 1], 'int32');
  const b = () => tf.tensor1d([3, -3, 1, 2], 'int32');
  for (const name of ['add', 'sub', 'floorDiv', 'maximum', 'minimum', 'mod', ...COMPARISONS] as const) {
    await compare(t, name, () => functions[name](a(), b()));
  }
  const [yes, no] = [tf.tensor1d([1, 0, 1], 'bool'), tf.tensor2d([1, 0], [2, 1], 'bool')];
  for (const name of ['logicalAnd', 'logicalOr', 'logicalXor', 'equal', 'less'] as const) {
    await compare(t, name, () => functions[name](yes.clone(), no.clone()));
  }
  await compare(t, 'logicalNot', () => tf.logicalNot(yes.clone()));
});

t.test('integers beyond the range of the result, and exact powers', async (t) => {
  const integers = (...values: number[]) => tf.tensor1d(values, 'int32');
  await compare(t, 'floorDiv', () =>
    tf.floorDiv(integers(-(2 ** 31), -(2 ** 31), 5, 0), integers(-1, 1, 0, 0)),
  );
  const exponents = () => tf.range(-3, 31, 1, 'int32');
  for (const base of [-7, -3, -2, -1, 0, 1, 2, 3, 5, 10]) {
    // Beyond 2^53 the last digits depend on rounding.
    const exact = () => tf.minimum(exponents(), integers(Math.floor(53 / Math.log2(Math.abs(base) + 1.1))));
    await compare(t, `powers of ${base}`, () => tf.pow(integers(base), exact()));
  }
});

t.test('sizes that are not multiples of four', async (t) => {
  for (let size = 1; size < 10; size++) {
    const x = () => tf.sub(tf.range(0, size), 3);
    await compare(t, `${size} floats`, () => [tf.relu(x()), tf.mul(x(), x()), tf.clipByValue(x(), -1, 2)]);
    await compare(t, `${size} booleans`, () => {
      const positive = tf.greater(x(), tf.zerosLike(x()));
      return [tf.logicalNot(positive), tf.logicalOr(positive, tf.isNaN(x())), tf.cast(positive, 'float32')];
    });
  }
});

t.test('every way to broadcast', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean(), fc.boolean()), { maxLength: 6 }),
      fc.nat({ max: 6 }),
      async (axes, dropped) => {
        const a = axes.map(([extent, one]) => (one ? 1 : extent));
        const b = axes.map(([extent, , one]) => (one ? 1 : extent)).slice(dropped);
        const filledWith = (shape: number[], start: number) =>
          tf.tensor(
            Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => start + i),
            shape,
          );
        const { expected, found } = await onBoth(() => tf.sub(filledWith(a, 0), filledWith(b, 1000)));
        const difference = relativeDifference(expected[0], found[0]);
        tf.dispose([expected, found]);
        return difference === 0;
      },
    ),
  );
});

t.test('gradients of broadcast functions', async (t) => {
  await compare(t, 'mul', () =>
    tf.grads((a, b) => tf.mul(a, b).sum())([tf.ones([2, 3, 1]), tf.fill([3, 4], 2)]),
  );
  await compare(t, 'elu', () => tf.grad((x) => tf.elu(x))(tf.tensor1d([-1, 0, 2])));
});
