/** Tests training on the backend `cuda` against the losses of the backend `cpu`, step by step. */
import * as tf from '@tensorflow/tfjs';
import t, { type Test } from 'tap';
import { readFixture } from '../../../testing/fixtures.js';
import { loadConverted, pinnedTrees, toChannelsLast } from '../../../testing/models.js';
import '../index.js';
import { checkMemory, classifierMemory } from '../../../testing/training_memory.js';
import type { CudaBackend } from '../backend/index.js';
import { startCuda } from '../backend/testing/cuda_backend.js';

await startCuda();

/** Tolerance of a loss: Adam divides by the size of gradients, which amplifies the rounding errors of small ones. */
const LOSSES_CLOSE = 1e-4;

/** Trains on both backends and compares; the last loss must be below the first. */
async function compareTraining(t: Test, train: () => Promise<number[]>): Promise<void> {
  const before = tf.memory().numTensors;
  await tf.setBackend('cpu');
  const expected = await train();
  await tf.setBackend('cuda');
  const found = await train();
  const differences = expected.map((loss, i) => Math.abs(loss - found[i]) / loss);
  t.comment(`losses ${found.join(', ')}`);
  t.ok(differences.length === found.length && Math.max(...differences) <= LOSSES_CLOSE, `${differences}`);
  t.ok((found.at(-1) as number) < 0.9 * found[0], 'something is learnt');
  t.equal(tf.memory().numTensors, before, 'nothing is left');
}

t.test('a network of layers, by model.fit and tf.data', (t) =>
  compareTraining(t, async () => {
    const kernelInitializer = tf.initializers.glorotUniform({ seed: 3 });
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({
          inputShape: [8, 8, 2],
          filters: 4,
          kernelSize: 3,
          kernelInitializer,
          activation: 'relu',
        }),
        tf.layers.batchNormalization(),
        tf.layers.maxPooling2d({ poolSize: 2 }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 3, kernelInitializer, activation: 'softmax' }),
      ],
    });
    const optimizer = tf.train.adam(0.01);
    model.compile({ optimizer, loss: 'categoricalCrossentropy' });
    const examples = Array.from({ length: 24 }, (_, i) => ({
      xs: tf.tidy(() => tf.randomUniform([8, 8, 2], -1, 1, 'float32', i).add((i % 3) - 1)),
      ys: tf.tidy(() => tf.oneHot(i % 3, 3).toFloat()),
    }));
    const { history } = await model.fitDataset(tf.data.array(examples).batch(8), { epochs: 4, verbose: 0 });
    tf.dispose(examples);
    model.dispose();
    optimizer.dispose();
    return history.loss as number[];
  }),
);

t.test('GrootV, every parameter, with the trees pinned', (t) =>
  compareTraining(t, async () => {
    const { model } = await loadConverted('grootv/grootv_tiny_layerscale.pth');
    const expected = readFixture('grootv/grootv_tiny_layerscale_expected.safetensors');
    const feeds = {
      ...pinnedTrees(expected, 'trees.32x32', [1, 1, 1, 1]),
      normalized: toChannelsLast(expected.tensor('input.32x32')),
    };
    // The graph reads its weights by name, so variables replace them.
    const variables: tf.Variable[] = [];
    for (const [name, weights] of Object.entries(model.weights)) {
      if (weights[0].dtype !== 'float32') continue;
      const variable = tf.variable(weights[0], true, name);
      weights[0].dispose();
      weights[0] = variable;
      variables.push(variable);
    }
    const optimizer = tf.train.adam(1e-3);
    const loss = () => {
      const logits = model.execute(feeds, 'logits') as tf.Tensor2D;
      const labels = tf.oneHot(tf.range(1, 1 + logits.shape[0], 1, 'int32'), logits.shape[1]);
      return tf.losses.softmaxCrossEntropy(labels, logits) as tf.Scalar;
    };
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const value = optimizer.minimize(loss, true, variables) as tf.Scalar;
      losses.push((await value.data())[0]);
      value.dispose();
    }
    tf.dispose([feeds, variables]);
    model.dispose();
    optimizer.dispose();
    return losses;
  }),
);

t.test('no tensor or device memory is left behind', async (t) => {
  const backendCounts = () => ({ ...(tf.backend() as CudaBackend).statistics() });
  checkMemory(t, await classifierMemory({ backendCounts }));
});
