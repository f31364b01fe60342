/** Predictions that are recorded and run again: the same bits, nothing left behind, nothing stale. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { randomGrootVArtifacts } from '../../bench/random_model.js';
import { LoadedModel } from '../../plugin/models/loaded_model.js';
import './index.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const SIZES = { channels: 8, depths: [1, 1], mlpRatio: 2, layerScale: false, classes: 5 };

const backend = await startInNode();

async function randomModel(): Promise<LoadedModel> {
  return LoadedModel.from('a model', await randomGrootVArtifacts(SIZES));
}

/** Of a picture that the seed decides, and how many kernels tfjs was asked for. */
async function logitsOf(
  model: LoadedModel,
  seed: number,
  side = 32,
): Promise<{ values: string; kernels: number }> {
  const image = tf.tidy(() => tf.randomUniform([1, side, side, 3], 0, 255, 'float32', seed)) as tf.Tensor4D;
  const engine = tf.engine();
  const { runKernel } = engine;
  let kernels = 0;
  engine.runKernel = (...args) => {
    kernels++;
    return runKernel.apply(engine, args) as never;
  };
  let logits: tf.Tensor;
  try {
    logits = tf.tidy(() => model.predict(image) as tf.Tensor);
  } finally {
    engine.runKernel = runKernel;
  }
  const values = Buffer.from((await logits.data()).slice().buffer).toString('hex');
  tf.dispose([image, logits]);
  return { values, kernels };
}

const options = { skip: !backend && NO_ADAPTER };

t.test('computed, recorded, run again: the same bits', options, async (t) => {
  const model = await randomModel();
  const other = await randomModel();
  const expected = [];
  for (const seed of [1, 2, 3, 4]) {
    const fresh = seed === 1 ? other : await randomModel();
    expected.push((await logitsOf(fresh, seed)).values);
    fresh.dispose();
  }
  t.equal(new Set(expected).size, 4, 'pictures differ');
  const found = [];
  for (const seed of [1, 2, 3, 4]) found.push(await logitsOf(model, seed));
  t.same(
    found.map(({ values }) => values),
    expected,
  );
  t.ok(found[0].kernels > 40 && found[1].kernels > 40, 'two are computed');
  t.same([found[2].kernels, found[3].kernels], [0, 0], 'two are run again');
  t.ok((await logitsOf(model, 1, 64)).kernels > 0, 'another shape is computed');
  t.equal((await logitsOf(model, 1)).values, expected[0]);
  model.dispose();
});

t.test('weights that change, and disposal', options, async (t) => {
  const model = await randomModel();
  for (const seed of [1, 2, 3]) await logitsOf(model, seed);
  const name = Object.keys(model.weights).find((name) => model.weights[name][0].size === 5) as string;
  const [old] = model.weights[name];
  model.weights[name][0] = tf.keep(tf.tidy(() => tf.add(old, 1)));
  old.dispose();
  const changed = await logitsOf(model, 3);
  t.ok(changed.kernels > 0, 'computed anew');
  for (const seed of [3, 3]) t.equal((await logitsOf(model, seed)).values, changed.values);
  t.equal((await logitsOf(model, 3)).kernels, 0);
  model.dispose();
  t.throws(() => model.predict(tf.zeros([1, 32, 32, 3])), /disposed/);
});

t.test('nothing is left', options, async (t) => {
  const { numTensors } = tf.memory();
  const pool = (backend as NonNullable<typeof backend>).bufferManager;
  await await tf.zeros([1]).data();
  const { numBytesUsed } = pool;
  const model = await randomModel();
  for (const seed of [1, 2, 3]) await logitsOf(model, seed);
  const [tensors, bytes] = [tf.memory().numTensors, pool.numBytesUsed];
  for (let i = 0; i < 5; i++) await logitsOf(model, 3);
  t.same([tf.memory().numTensors, pool.numBytesUsed], [tensors, bytes], 'by predictions');
  model.dispose();
  await tf.zeros([1]).data();
  t.ok(tf.memory().numTensors - numTensors <= 2, 'by a model');
  t.ok(pool.numBytesUsed - numBytesUsed <= 64, `by a model: ${pool.numBytesUsed - numBytesUsed} bytes`);
});
