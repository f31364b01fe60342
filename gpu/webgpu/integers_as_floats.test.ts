/** tfjs casts integers to float32 on WebGPU without converting their data; our kernels must receive floats nevertheless. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { silu, treeScan } from '../../plugin/index.js';
import './index.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const backend = await startInNode();

t.test('integers and truth values that were cast', { skip: !backend && NO_ADAPTER }, async (t) => {
  const before = tf.memory().numTensors;
  const data = backend?.tensorMap.numDataIds();
  const integers = tf.tensor3d([3, -2, 0, 1], [1, 4, 1], 'int32');
  const given: Readonly<Record<string, tf.Tensor>> = {
    integers,
    'on the device': tf.tidy(() => tf.reshape(tf.gather(integers, [0, 2, 3, 1], 1), [1, 4, 1])),
    'truth values': tf.less(integers, 1),
  };
  const tree = {
    order: tf.tensor2d([0, 1, 2, 3], [1, 4], 'int32'),
    parent: tf.tensor2d([0, 0, 1, 1], [1, 4], 'int32'),
  };
  for (const [what, values] of Object.entries(given)) {
    const expected = Array.from(await values.data(), Number);
    for (const run of [
      (x: tf.Tensor) => silu(x),
      (x: tf.Tensor) => treeScan(x, tf.fill([1, 4, 1], 0.5), tree),
    ]) {
      const [ofCast, ofFloats] = tf.tidy(() => [
        run(tf.cast(values, 'float32')),
        run(tf.tensor3d(expected, [1, 4, 1])),
      ]);
      t.same(await ofCast.data(), await ofFloats.data(), what);
      tf.dispose([ofCast, ofFloats]);
    }
  }
  tf.dispose([...Object.values(given), tree.order, tree.parent]);
  t.equal(tf.memory().numTensors, before);
  t.equal(backend?.tensorMap.numDataIds(), data, 'data of the backend');
});
