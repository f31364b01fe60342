/** Tests the backend `cuda` outside of normal computation: debugging, resetting, early exit. */
import { spawnSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { startCuda } from './testing/cuda_backend.js';

const cuda = await startCuda();

t.test("tfjs's debug mode", async (t) => {
  tf.env().set('PROD', false);
  tf.env().set('DEBUG', true);
  const log = t.capture(console, 'log');
  const { numTensors } = tf.memory();
  t.same(
    tf.tidy(() => [...tf.tensor1d([1, 4]).sqrt().neg().dataSync()]),
    [-1, -2],
  );
  await new Promise((resolve) => setTimeout(resolve, 50)); // kernels are reported once their times are known
  t.ok(
    log().some(({ args }) => /Sqrt/.test(String(args[0]))),
    'kernels are listed',
  );
  const none = tf.zeros([1, 2, 2, 1]);
  t.throws(() => tf.engine().runKernel('NoSuchOp', { x: none }), /NoSuchOp/);
  none.dispose();
  t.equal(tf.memory().numTensors, numTensors);
  tf.env().set('DEBUG', false);
  tf.env().set('PROD', true);
});

t.test('a kernel that fails while it is profiled', async (t) => {
  const backend = tf.backend() as InstanceType<typeof cuda.CudaBackend>;
  const fail = () => {
    throw new Error('out of order');
  };
  t.throws(() => backend.time(fail), /out of order/, 'is not an unhandled rejection');
});

t.test('profile', async (t) => {
  const { kernels, result, newTensors } = await tf.profile(() =>
    tf.tidy(() => tf.ones([10]).add(1).square() as tf.Tensor),
  );
  t.same(
    kernels.map(({ name }) => name).filter((name) => name !== 'Fill'),
    ['Add', 'Square'],
  );
  t.ok(kernels.every(({ kernelTimeMs }) => typeof kernelTimeMs === 'number'));
  t.equal(newTensors, 1);
  tf.dispose(result as tf.Tensor);
});

t.test('complex tensors of another backend', async (t) => {
  const before = tf.memory();
  const complex = tf.complex([1, 2], [3, 4]);
  // As tfjs moves them: as two parts.
  const moved = {};
  const backend = tf.backend();
  backend.move(moved, backend.readSync(complex.dataId), [2], 'complex64', 1);
  t.same([...(backend.readSync(moved) as Float32Array)], [1, 3, 2, 4]);
  t.ok(backend.disposeData(moved));
  complex.dispose();
  t.equal(tf.memory().numDataBuffers, before.numDataBuffers);
});

t.test('memory that threads share', (t) => {
  const values = new Float32Array(new SharedArrayBuffer(400)).fill(3);
  t.same(
    tf.tidy(() => [...tf.tensor(values, [100]).square().dataSync()]),
    Array(100).fill(9),
  );
  t.end();
});

t.test('pixels', (t) => {
  const image = { data: new Uint8Array([1, 2, 3, 255, 4, 5, 6, 255]), width: 2, height: 1 };
  const pixels = tf.browser.fromPixels(image as unknown as ImageData);
  t.same(
    tf.tidy(() => [...pixels.mul(tf.scalar(2, 'int32')).dataSync()]),
    [2, 4, 6, 8, 10, 12],
  );
  pixels.dispose();
  t.end();
});

t.test('values of the GPU of somebody else', (t) => {
  t.throws(() => tf.tensor1d([1]).dataToGPU(), /readToGPU.* not yet implemented/);
  t.end();
});

t.test('settings that cannot be', (t) => {
  tf.removeBackend('cuda');
  t.throws(() => cuda.configureCuda({ device: -1 }), /device is -1, expected the number of a GPU/);
  t.throws(() => cuda.configureCuda({ device: 0.5 }), /device is 0.5/);
  t.throws(
    () => cuda.configureCuda({ memoryLimitBytes: 0 }),
    /memoryLimitBytes is 0, expected a positive number/,
  );
  t.throws(() => cuda.configureCuda({ memoryLimitBytes: Number.NaN }), /memoryLimitBytes is NaN/);
  t.end();
});

t.test('a read that is under way when the backend is removed', async (t) => {
  await startCuda();
  const x = tf.fill([1000], 2);
  const square = x.square();
  const pending = square.data();
  tf.removeBackend('cuda');
  t.ok((await pending).every((value) => value === 4));
  t.throws(() => square.dataSync(), /the device is closed/);
  tf.dispose([x, square]);
});

t.test('tf.engine().reset()', async (t) => {
  await startCuda();
  tf.fill([10], 2); // is dropped
  tf.engine().reset();
  await startCuda();
  t.equal(tf.memory().numTensors, 0);
  t.equal(
    tf.tidy(() => tf.fill([10], 2).sum().dataSync()[0]),
    20,
  );
});

/** A program that requests a read, and then does `end`. */
const program = (end: string) => `(async () => {
  const tf = await import('@tensorflow/tfjs');
  const { ready } = await import(${JSON.stringify(import.meta.resolve('./index.js'))});
  await ready();
  await tf.setBackend('cuda');
  const x = tf.ones([300, 300]);
  const pending = x.matMul(x).data();
  ${end}
})();`;

t.test('a program that ends before its reads', (t) => {
  for (const end of ['process.exit(3);', 'process.exitCode = 3;']) {
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      [...process.execArgv, '--eval', program(end)],
      // Node's options name modules relative to the folder of the package.
      { cwd: new URL('../../..', import.meta.url), encoding: 'utf8' },
    );
    t.same({ status, signal }, { status: 3, signal: null }, `${end} ${stderr}`);
  }
  t.end();
});
