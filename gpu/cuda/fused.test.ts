/** Tests what is specific to these kernels: remainders of loops, leaked tensors and memory, values read back. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import {
  boruvkaMST,
  edgeDissimilarity,
  gelu,
  gridGraph,
  layerNormalization,
  selectiveScan,
  selectiveTreeScan,
  silu,
} from '../../plugin/index.js';
import { checkChangedVariables } from '../../testing/changed_variables.js';
import { checkEmptyBatches } from '../../testing/empty_batches.js';
import { relativeDifference } from '../../testing/measure.js';
import { randomReceptiveFields } from '../../testing/receptive_field.js';
import { random } from '../../testing/tree_scans.js';
import { checkResources } from './testing/compare_trees.js';
import './index.js';
import { onBoth, startCuda } from './backend/testing/cuda_backend.js';

await startCuda();

t.test('gelu keeps a relative error in the lower tail, as 1 + erf would not', async (t) => {
  const { expected, found } = await onBoth(() => gelu(tf.linspace(-8, -1, 200)));
  const [a, b] = [expected[0].dataSync(), found[0].dataSync()];
  const largest = Math.max(...a.map((value, i) => Math.abs(value / b[i] - 1)));
  t.ok(largest <= 2e-5, `${largest}`);
  tf.dispose([expected, found]);
});

t.test('nothing is left behind, nothing is read back', async (t) => {
  await tf.setBackend('cuda');
  const x = tf.keep(random([2, 6, 8], 1) as tf.Tensor3D);
  const edges = tf.keep(gridGraph(2, 3));
  const gamma = tf.keep(random([8], 2));
  edgeDissimilarity(x, edges).dispose(); // the values are on the device from now on
  layerNormalization(x, gamma, gamma).dispose();
  await checkResources(t, () => {
    tf.tidy(() => {
      const tree = boruvkaMST(edgeDissimilarity(x, edges), edges, { numVertices: 6 });
      const gates = tf.slice(x, [0, 0, 0], [2, 6, 4]);
      const logA = tf.reshape(tf.slice(x, [0, 0, 0], [1, 4, 8]), [8, 4]);
      const inputs = { step: tf.abs(x), deltaU: x, logA, inputGate: gates, outputGate: gates };
      selectiveTreeScan(inputs, tree);
      selectiveScan(inputs);
      gelu(silu(layerNormalization(x, gamma, gamma)));
    });
  });
  tf.dispose([x, edges, gamma]);
});

t.test('a detector without proposals or detections', async (t) => {
  await tf.setBackend('cuda');
  await checkEmptyBatches(t);
});

t.test('receptive fields are those of the backend cpu', async (t) => {
  await tf.setBackend('cpu');
  const expected = await randomReceptiveFields();
  await tf.setBackend('cuda');
  const { numTensors } = tf.memory();
  for (const [level, field] of (await randomReceptiveFields()).entries()) {
    const difference = relativeDifference(field, expected[level]);
    t.ok(difference < 1e-5, `level ${level}: ${difference}`);
  }
  t.equal(tf.memory().numTensors, numTensors);
});

t.test('variables that are assigned to between steps', async (t) => {
  await tf.setBackend('cuda');
  await checkChangedVariables(t);
});
