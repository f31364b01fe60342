/** Tests every kind of tile of a linear layer against float64: for few rows, for many, and around the thresholds. */
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import type { Activation } from '../../plugin/ops/activations.js';
import { activated } from '../../plugin/ops/activations.spec.js';
import { linear } from '../../plugin/ops/linear.js';
import { Random } from '../../plugin/ops/spec/random.js';
import { maxDifference } from '../../testing/measure.js';
import './index.js';
import { FLOAT16_WEIGHTS_FLAG, LANES_FLAG } from './runner.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const backend = await startInNode();
if (!backend) t.test('linear layers', { skip: NO_ADAPTER }, async () => {});
else {
  for (const lanes of [32, 256]) {
    t.test(`${lanes} threads a workgroup`, async (t) => {
      tf.env().set(LANES_FLAG, lanes);
      for (const rows of [1, 4, 5, 199, 263]) {
        await check(t, { rows, terms: 37, columns: 27, first: 3, end: 22, activation: 'silu' });
        await check(t, { rows, terms: 64, columns: 40, first: 4, end: 40, activation: 'gelu' });
      }
      await check(t, { rows: 3, terms: 0, columns: 8, first: 0, end: 8, activation: 'none' });
      await check(t, { rows: 0, terms: 5, columns: 8, first: 0, end: 8, activation: 'none' });
    });
  }
}

if (backend) {
  t.test('weights stored as float16', async (t) => {
    tf.env().set(LANES_FLAG, 256);
    const [x, weights] = [
      tf.randomNormal([5, 40], 0, 1, 'float32', 1),
      tf.randomNormal([40, 8], 0, 1, 'float32', 2),
    ];
    const short = tf.mul(tf.round(tf.mul(weights, 256)), 1 / 256); // exact in float16
    const results = () => Promise.all([weights, short].map((given) => linear(x, given).data()));
    const [exact, exactShort] = await results();
    tf.env().set(FLOAT16_WEIGHTS_FLAG, true);
    const [halved, halvedShort] = await results();
    t.same([...halvedShort], [...exactShort], 'numbers that float16 has');
    const difference = maxDifference(halved, exact);
    t.ok(difference > 1e-5 && difference < 2e-2, `${difference}, others`);
    const used = async () => {
      const y = linear(x, weights);
      await y.data(); // disposed tensors are freed once this has run
      y.dispose();
      return backend.bufferManager.numBytesUsed;
    };
    const bytes = await used();
    t.equal(await used(), bytes, 'once');
    weights.dispose();
    t.ok(backend.bufferManager.numBytesUsed <= bytes - 6 * weights.size, 'and freed with them');
    tf.env().set(FLOAT16_WEIGHTS_FLAG, false);
  });
}

interface Product {
  readonly rows: number;
  readonly terms: number;
  readonly columns: number;
  readonly first: number;
  readonly end: number;
  readonly activation: Activation;
}

async function check(t: Test, { rows, terms, columns, first, end, activation }: Product): Promise<void> {
  const random = new Random(rows + terms, 'linear');
  const values = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const [x, weights, bias] = [values(rows * terms), values(terms * columns), values(columns)];
  const y = tf.tidy(() =>
    linear(tf.tensor2d(x, [rows, terms]), tf.tensor2d(weights, [terms, columns]), tf.tensor1d(bias), {
      activation,
      firstOutput: first,
      endOutput: end,
    }),
  );
  const found = await y.data();
  y.dispose();
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    const [row, column] = [Math.floor(i / (end - first)), first + (i % (end - first))];
    let sum = bias[column];
    for (let k = 0; k < terms; k++) sum += x[row * terms + k] * weights[k * columns + column];
    largest = Math.max(largest, Math.abs(found[i] - activated(activation, sum)));
  }
  t.equal(found.length, rows * (end - first));
  t.ok(largest <= 2e-5, `${rows} x ${terms} x ${columns}: ${largest}`);
}
