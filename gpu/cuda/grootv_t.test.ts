/** GrootV-T at full size, with random weights, from the picture to its logits on the backend `cuda`. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import t from 'tap';
import { randomGrootV } from '../../bench/random_model.js';
import '../../plugin/index.js';
import '../../wasm/index.js';
import { startCuda } from './testing/cuda_backend.js';

const SIDE = 224;
const BLOCKS = 15;
/** The contract's bounds: with the same trees, and with trees of its own. */
const PINNED = 1e-4;
const OWN = 0.2;

const pixels = Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (i * 7919) % 256);
const treeNodes = Array.from({ length: BLOCKS }, (_, i) => [
  `blocks_${i}/order`,
  `blocks_${i}/parent`,
]).flat();

/** The logits and trees of one prediction on wasm, to compare with. */
async function reference(): Promise<{
  logits: Float32Array;
  trees: { values: Int32Array; shape: number[] }[];
}> {
  await tf.setBackend('wasm');
  const model = await randomGrootV();
  const image = tf.tensor4d(pixels, [1, SIDE, SIDE, 3]);
  const [logits, ...trees] = model.execute({ image }, ['logits', ...treeNodes]) as tf.Tensor[];
  const found = {
    logits: logits.dataSync() as Float32Array,
    trees: trees.map((tree) => ({ values: tree.dataSync() as Int32Array, shape: tree.shape })),
  };
  tf.dispose([image, logits, trees]);
  model.dispose();
  return found;
}

const largestDifference = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
const best = (logits: Float32Array) => logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));

t.test('GrootV-T', async (t) => {
  const { logits: wanted, trees } = await reference();
  const cuda = await startCuda();
  const model = await randomGrootV();
  const image = tf.tensor4d(pixels, [1, SIDE, SIDE, 3]);
  const pinned = Object.fromEntries(
    trees.map(({ values, shape }, i) => [treeNodes[i], tf.tensor(values, shape, 'int32')]),
  );
  tf.dispose(model.execute({ image, ...pinned })); // weights go to the device, orders are checked
  const [tensors, counted] = [tf.memory().numTensors, cuda.counts()];

  const own = model.execute({ image }) as tf.Tensor;
  t.equal(cuda.counts().downloads, counted.downloads, 'nothing is read back on the way');
  t.comment(`${cuda.counts().launches - counted.launches} launches`);
  const found = (await own.data()) as Float32Array;
  t.ok(largestDifference(found, wanted) <= OWN, `own trees: ${largestDifference(found, wanted)}`);
  t.equal(best(found), best(wanted));

  const withTrees = model.execute({ image, ...pinned }) as tf.Tensor;
  const difference = largestDifference((await withTrees.data()) as Float32Array, wanted);
  t.ok(difference <= PINNED, `the same trees: ${difference}`);
  tf.dispose([own, withTrees]);
  t.equal(tf.memory().numTensors, tensors, 'nothing is left');
  tf.dispose([image, pinned]);
  model.dispose();
});
