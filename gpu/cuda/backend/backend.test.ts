/** Tests the backend itself, on an actual or an emulated device: see testing/cuda_backend.ts. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { startCuda } from './testing/cuda_backend.js';

const cuda = await startCuda();

t.test(`values survive the way there and back (${cuda.deviceDescription().kind})`, async (t) => {
  const before = tf.memory();
  const cases: [tf.TypedArray, tf.DataType][] = [
    [Float32Array.of(1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-40), 'float32'],
    [Int32Array.of(1, -2, 2147483647, -2147483648, 0), 'int32'],
    [Uint8Array.of(1, 0, 1, 1, 0), 'bool'],
  ];
  for (const [values, dtype] of cases) {
    const x = tf.tensor(values, [5], dtype);
    const y = tf.reverse(x); // on the device
    const back = tf.reverse(y);
    t.same(await back.data(), values, `${dtype}, read`);
    t.same(back.dataSync(), values, `${dtype}, read at once`);
    t.same(x.dataSync(), values, 'what a kernel has used is still there');
    tf.dispose([x, y, back]);
  }
  const text = tf.tensor(['a', 'ü'], [2], 'string');
  t.same(await text.data(), ['a', 'ü'], 'strings stay on the host');
  const complex = tf.complex([1, 2], [3, 4]);
  t.same([...complex.dataSync()], [1, 3, 2, 4], 'complex numbers');
  t.same([...(await complex.data())], [1, 3, 2, 4]);
  const real = tf.real(complex);
  complex.dispose();
  t.same([...real.dataSync()], [1, 2], 'a part outlives the whole');
  tf.dispose([text, real]);
  const after = tf.memory() as tf.MemoryInfo & { numBytesOnDevice: number };
  t.equal(after.numTensors, before.numTensors);
  t.equal(after.numDataBuffers, before.numDataBuffers);
  t.equal(after.numBytesOnDevice, (before as typeof after).numBytesOnDevice);
});

t.test('tensors of the same values', (t) => {
  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const y = x.reshape([4]);
  x.dispose();
  t.same([...y.add(1).dataSync()], [2, 3, 4, 5], 'the values outlive the first tensor');
  y.dispose();
  t.end();
});

t.test('tensors of several backends', async (t) => {
  const onCuda = tf.tensor1d([1, 2, 3]).square();
  await tf.setBackend('cpu');
  const onCpu = onCuda.add(1); // moves it
  await tf.setBackend('cuda');
  t.same([...onCpu.mul(onCuda).dataSync()], [2, 20, 90]);
  tf.dispose([onCuda, onCpu]);
});

t.test('every read of many at once', async (t) => {
  const tensors = Array.from({ length: 50 }, (_, i) => tf.fill([1000], i));
  const pending = tensors.map((tensor) => tensor.data());
  tf.dispose(tensors); // requested values are read nevertheless
  const reads = await Promise.all(pending);
  t.ok(reads.every((values, i) => values.length === 1000 && values.every((value) => value === i)));
});

t.test('time', async (t) => {
  const { kernelMs } = await tf.time(() => tf.tidy(() => tf.ones([1000]).add(1).dataSync()));
  t.ok((kernelMs as number) >= 0, `${kernelMs} ms`);
});

t.test('the same work again takes no more memory', (t) => {
  const reserved = () => (tf.memory() as tf.MemoryInfo & { numBytesReserved: number }).numBytesReserved;
  const work = () => tf.tidy(() => tf.ones([100, 100]).mul(2).add(1).exp().dataSync());
  work();
  const first = reserved();
  for (let i = 0; i < 100; i++) work();
  t.equal(reserved(), first);
  t.end();
});

t.test('a tensor beyond what kernels can count', (t) => {
  t.throws(() => tf.fill([65536, 32768], 1), /a tensor of \[65536,32768\] has 2147483648 elements/);
  t.end();
});

t.test('out of memory', async (t) => {
  tf.removeBackend('cuda');
  cuda.configureCuda({ memoryLimitBytes: 1e6 });
  await tf.setBackend('cuda');
  t.throws(() => cuda.configureCuda({}), /runs already/);
  const held = tf.fill([100_000], 1);
  t.throws(() => tf.fill([200_000], 1), {
    name: 'CudaOutOfMemoryError',
    message: /out of memory: 800000 bytes asked for, 400384 bytes in use, the limit is 1000000/,
  });
  t.equal(held.sum().dataSync()[0], 100_000, 'the backend goes on');
  held.dispose();
  t.equal(
    tf.tidy(() => tf.fill([200_000], 1).max().dataSync()[0]),
    1,
    'there is memory when something goes',
  );
  tf.removeBackend('cuda');
  cuda.configureCuda({});
});

t.test('starting again and again', async (t) => {
  for (let i = 0; i < 20; i++) {
    await tf.setBackend('cuda');
    t.equal(
      tf.tidy(() => tf.scalar(i).square().dataSync()[0]),
      i * i,
    );
    tf.removeBackend('cuda');
    cuda.configureCuda({});
  }
});
