/** Tests mat_mul.ts against tfjs's cpu backend: with our kernels, and with a substitute for cuBLAS. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { CudaBackend } from '../backend.js';
import type { MatrixProduct } from '../driver.js';
import { compareSums, deviceBytes, random } from '../testing/compare.js';
import { onBoth, relativeDifference, startCuda } from '../testing/cuda_backend.js';
import { pretendMatrixLibrary } from '../testing/matrix_library.js';

await startCuda();
const { device } = tf.backend() as CudaBackend;

t.test('our kernels', async (t) => {
  await products(t);
  for (const m of [1, 5]) {
    await compareSums(t, `more matrices of ${m} rows than blocks for them`, () =>
      tf.matMul(random([4100, m, 2]), random([2, 3], 2)),
    );
  }
});
t.test('more columns than 65535 tiles', async (t) => {
  const { expected, found } = await onBoth(() => {
    const columns = tf.reshape(tf.range(0, 64 * 65_535 + 3), [1, -1]);
    return tf.matMul(tf.tensor2d([1, 2, 3, 4, 5], [5, 1]), columns as tf.Tensor2D);
  });
  t.equal(relativeDifference(expected[0], found[0]), 0);
  tf.dispose([expected, found]);
});
t.test('a matrix library', async (t) => {
  const asked: MatrixProduct[] = [];
  pretendMatrixLibrary(device, asked);
  await products(t);
  t.ok(asked.length > 100, `${asked.length} products`);
  t.ok(asked.every(({ allowTf32 }) => !allowTf32));
});

async function products(t: Test): Promise<void> {
  const empty = deviceBytes();
  for (const [m, k, n] of [
    [1, 1, 1],
    [3, 5, 7],
    [64, 16, 64],
    [65, 17, 63],
    [130, 75, 67],
    [1, 700, 45], // few rows
    [4, 33, 100],
    [49, 1280, 100], // few tiles, long sums
    [5, 2100, 3],
    [1, 9, 1],
    [70, 1, 1],
  ]) {
    for (const [transposeA, transposeB] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]) {
      await compareSums(t, `[${m}, ${k}] x [${k}, ${n}], transposed: ${transposeA}, ${transposeB}`, () =>
        tf.matMul(
          random(transposeA ? [k, m] : [m, k]),
          random(transposeB ? [n, k] : [k, n], 2),
          transposeA,
          transposeB,
        ),
      );
    }
  }

  for (const [a, b] of [
    [[3], [3]],
    [[3], [1]],
    [[1], [3]],
    [[2, 3], [3]],
    [[], [2, 2]],
    [[2, 1, 3], [1]],
  ]) {
    for (const m of [2, 66]) {
      await compareSums(t, `batches [${a}] and [${b}] of ${m} rows`, () =>
        tf.matMul(random([...a, m, 9]), random([...b, 9, 5], 2)),
      );
    }
  }

  await t.test('batches that are broadcast both ways, which tfjs cannot do on the cpu', async (t) => {
    for (const m of [2, 66]) {
      const [a, b] = [random([2, 1, m, 9]), random([1, 3, 9, 5], 2)];
      const found = tf.matMul(a, b);
      const expected = tf.tidy(() => tf.matMul(tf.tile(a, [1, 3, 1, 1]), tf.tile(b, [2, 1, 1, 1])));
      t.same(found.shape, [2, 3, m, 5]);
      t.ok(relativeDifference(expected, found) < 1e-6);
      tf.dispose([a, b, found, expected]);
    }
  });

  await t.test('empty matrices', async (t) => {
    for (const [m, k, n] of [
      [0, 3, 4],
      [3, 0, 4],
      [70, 0, 4],
      [3, 4, 0],
    ]) {
      await compareSums(t, `[${m}, ${k}] x [${k}, ${n}]`, () => tf.matMul(random([m, k]), random([k, n])));
    }
    await compareSums(t, 'no batch', () => tf.matMul(random([0, 2, 3]), random([0, 3, 4])));
  });

  await t.test('bias and activation', async (t) => {
    const activations = ['linear', 'relu', 'relu6', 'elu', 'prelu', 'leakyrelu', 'sigmoid'] as const;
    for (const activation of activations) {
      for (const m of [3, 66, 5]) {
        const k = m === 5 ? 1200 : 40;
        for (const shape of [[10], [1, 10], [1], [m, 10], [m, 1], undefined]) {
          await compareSums(t, `${activation}, ${m} rows, bias [${shape}]`, () =>
            tf.fused.matMul({
              a: random([m, k]) as tf.Tensor2D,
              b: random([k, 10], 2) as tf.Tensor2D,
              bias: shape && random(shape, 3),
              activation,
              leakyreluAlpha: 0.3,
              preluActivationWeights: activation === 'prelu' ? random(shape ?? [10], 4) : undefined,
            }),
          );
        }
      }
    }
  });

  await t.test('gradients', async (t) => {
    const gradients = tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.square(tf.matMul(a, b))));
    await compareSums(t, 'of a product', () => gradients([random([7, 12]), random([12, 5], 2)]));
  });

  await t.test('any sizes', async (t) => {
    const sizes = fc.tuple(fc.nat(90), fc.nat(90), fc.nat(90), fc.boolean(), fc.boolean());
    await fc.assert(
      fc.asyncProperty(sizes, ([m, k, n, transposeA, transposeB]) =>
        compareSums(t, JSON.stringify([m, k, n, transposeA, transposeB]), () =>
          tf.matMul(
            random(transposeA ? [k, m] : [m, k]),
            random(transposeB ? [n, k] : [k, n], 2),
            transposeA,
            transposeB,
          ),
        ),
      ),
      { numRuns: 20, seed: 1 },
    );
  });

  t.equal(deviceBytes(), empty, 'no memory is kept');
}

t.test('what the cpu backend refuses', async (t) => {
  const [a, b] = [tf.zeros([2, 3]), tf.zeros([4, 5])];
  t.throws(() => tf.matMul(a, b), { message: /inner shapes \(3\) and \(4\)/ });
  const numbers = tf.ones([2, 2], 'int32');
  const product = tf.engine().runKernel(
    'BatchMatMul',
    {
      a: numbers,
      b: numbers,
    },
    { transposeA: false, transposeB: false },
  ) as tf.Tensor;
  t.equal(product.dtype, 'int32', 'int32 matrices fall back to the CPU');
  t.same(product.dataSync(), [2, 2, 2, 2]);
  tf.dispose([a, b, numbers, product]);
});
