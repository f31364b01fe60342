/** Tests linear layers against the backend `cpu`: with our kernels, and with a substitute for cuBLAS. */
import * as tf from '@tensorflow/tfjs';
import t, { type Test } from 'tap';
import type { Activation } from '../../plugin/ops/activations.js';
import { linear } from '../../plugin/ops/linear.js';
import type { CudaBackend } from './backend/backend.js';
import type { MatrixProduct } from './backend/driver.js';
import { compareSums, deviceBytes, random } from './backend/testing/compare.js';
import { startCuda } from './backend/testing/cuda_backend.js';
import { pretendMatrixLibrary } from './backend/testing/matrix_library.js';
import './index.js';

await startCuda();

t.test('our kernels', async (t) => products(t));

t.test('a matrix library', async (t) => {
  const asked: MatrixProduct[] = [];
  pretendMatrixLibrary((tf.backend() as CudaBackend).device, asked);
  await products(t);
  t.ok(asked.length > 50, `${asked.length} products`);
});

async function products(t: Test): Promise<void> {
  const empty = deviceBytes();
  for (const activation of ['none', 'gelu', 'silu'] as Activation[]) {
    for (const rows of [[1], [2, 3], [70]]) {
      for (const [firstOutput, endOutput] of [
        [0, -1],
        [0, 13],
        [13, 40],
        [7, 8],
        [5, 5],
      ]) {
        const options = { activation, firstOutput, endOutput };
        const shown = JSON.stringify({ rows, ...options });
        await compareSums(t, shown, () =>
          linear(random([...rows, 24]), random([24, 40], 2), random([40], 3), options),
        );
        await compareSums(t, `${shown}, no bias`, () =>
          linear(random([...rows, 24]), random([24, 40], 2), undefined, options),
        );
      }
    }
  }
  const gradients = tf.grads((x: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor) =>
    tf.sum(tf.square(linear(x, weights, bias, { activation: 'gelu', firstOutput: 3 }))),
  );
  await compareSums(t, 'gradients', () => gradients([random([9, 6]), random([6, 11], 2), random([11], 3)]));
  t.equal(deviceBytes(), empty, 'no memory is kept');
}
