/** Tests how many dispatches a prediction takes, and what repeated ones leak, on a device that computes nothing. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { countGpuCalls, type GpuCalls } from '../../bench/gpu_calls.js';
import { randomGrootVArtifacts } from '../../bench/random_model.js';
import { boruvkaMST, gridGraph } from '../../plugin/index.js';
import { LoadedModel } from '../../plugin/models/loaded_model.js';
import './index.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

/** Blocks of GrootV-T, and the maximum number of dispatches of its prediction. */
const BLOCKS = 15;
const MOST = 210;
/** Kernels per block. */
const KERNELS = 12;

const backend = await startInNode('null');
if (!backend) t.test('dispatches', { skip: NO_ADAPTER }, async () => {});
else {
  t.test('a prediction of GrootV', async (t) => {
    const four = await callsOf([1, 1, 1, 1]);
    const five = await callsOf([1, 1, 2, 1]);
    t.equal(five.dispatches - four.dispatches, KERNELS, 'one block more');
    const all = four.dispatches + (BLOCKS - 4) * KERNELS;
    t.ok(all <= MOST, `${all} of GrootV-T`);
    t.equal(four.readBacks, 0, 'nothing is read back before the logits are');
  });

  t.test('1,000 predictions and 1,000 trees leave nothing', async (t) => {
    const model = await LoadedModel.from('random', await smallModel([1, 1]));
    const image = tf.zeros([1, 32, 32, 3]);
    const edges = gridGraph(8, 8);
    const weights = tf.zeros([1, edges.shape[0]]) as tf.Tensor2D;
    // Only then does the backend free disposed tensors.
    const submitted = async () => {
      const read = tf.add(image, 1);
      await read.data();
      read.dispose();
    };
    const left = async (run: () => void) => {
      for (let i = 0; i < 3; i++) run(); // the first is computed, the second recorded
      await submitted();
      const [{ numTensors }, { numBytesUsed }] = [tf.memory(), backend.bufferManager];
      for (let i = 0; i < 1000; i++) run();
      await submitted();
      return [tf.memory().numTensors - numTensors, backend.bufferManager.numBytesUsed - numBytesUsed];
    };
    t.same(await left(() => tf.dispose(model.predict(image))), [0, 0], 'predictions');
    t.same(await left(() => boruvkaMST(weights, edges, { numVertices: 64 }).dispose()), [0, 0], 'trees');
    tf.dispose([image, edges, weights]);
    model.dispose();
  });
}

function smallModel(depths: number[]): Promise<tf.io.ModelArtifacts> {
  return randomGrootVArtifacts({ channels: 16, depths, mlpRatio: 4, layerScale: false, classes: 5 });
}

/** For a prediction that is not the first. */
async function callsOf(depths: number[]): Promise<GpuCalls> {
  const artifacts = await smallModel(depths);
  const model = await LoadedModel.from('random', artifacts);
  const predict = () => tf.dispose(model.execute({ image: tf.zeros([1, 64, 64, 3]) }));
  tf.tidy(predict);
  const { calls } = countGpuCalls(() => tf.tidy(predict));
  model.dispose();
  return calls;
}
