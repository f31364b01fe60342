import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { startCuda } from './testing/cuda_backend.js';

await startCuda();

const warnings: string[] = [];
console.warn = (text: string) => void warnings.push(text);

t.test('an op without a kernel runs on the CPU, with one warning', (t) => {
  const before = tf.memory();
  for (let i = 0; i < 3; i++) {
    const found = tf.tidy(() => {
      const x = tf.tensor1d([3, 1, 2]).square(); // on the device
      const { values, indices } = tf.topk(x, 2);
      return [values.add(1), indices.add(tf.scalar(0, 'int32'))].map((tensor) => [...tensor.dataSync()]);
    });
    t.same(found, [
      [10, 5],
      [0, 2],
    ]);
  }
  t.equal(warnings.filter((text) => text.startsWith('tfjs-grootvl: TopK')).length, 1, 'named once');
  t.equal(tf.memory().numTensors, before.numTensors);
  t.equal(tf.memory().numDataBuffers, before.numDataBuffers);
  t.end();
});

t.test('strings, complex numbers and lists of tensors', (t) => {
  const parts = tf.string.stringSplit(['a b', 'c'], ' ');
  t.same(parts.values.dataSync(), ['a', 'b', 'c']);
  const spectrum = tf.spectral.fft(tf.complex([1, 0, 0, 0], [0, 0, 0, 0]));
  t.same([...spectrum.dataSync()], [1, 0, 1, 0, 1, 0, 1, 0]);
  const { outputNestedSplits } = tf.raggedGather(
    [tf.tensor1d([0, 2, 3], 'int32')],
    tf.tensor1d([1, 2, 3]),
    tf.tensor1d([1, 0], 'int32'),
    1,
  ) as unknown as { outputNestedSplits: tf.Tensor[] };
  t.same([...outputNestedSplits[0].dataSync()], [0, 1, 3]);
  t.end();
});

t.test('an error of the CPU kernel leaves nothing behind', (t) => {
  const x = tf.tensor1d([1, 2]);
  const before = tf.memory().numDataBuffers;
  t.throws(() => tf.engine().runKernel('NoSuchOp', { x }), /NoSuchOp/);
  t.throws(() => tf.sparse.sparseReshape([[0, 0]], [2, 2], [3]));
  t.equal(tf.memory().numDataBuffers - before <= 2, true);
  x.dispose();
  t.end();
});
