/** Tests the basis of every kernel with a toy op, in Node on a software driver. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { defineOp } from '../../plugin/ops/declare.js';
import { runOp } from '../../plugin/ops/kernels.js';
import { WebgpuError } from './errors.js';
import { registerWebgpuKernel } from './kernels.js';
import { program, programs } from './program.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const Toy = defineOp({
  name: 'ToySplit',
  doc: 'whole and fraction of factor * x',
  inputs: { x: { dtype: 'float32', shape: ['N'], doc: '' } },
  attributes: { factor: { type: 'number', graphName: 'factor', default: 1, doc: '' } },
  outputs: {
    whole: { dtype: 'int32', shape: ['N'], doc: '' },
    fraction: { dtype: 'float32', shape: ['N'], doc: '' },
  },
});

const LANES = 2;
const toy = programs('toy', ({ lanes }: { lanes: number }) => ({
  reads: { x: 'f32' },
  writes: { whole: 'i32', fraction: 'f32' },
  numbers: { size: 'u32', factor: 'f32' },
  code: `
    @compute @workgroup_size(${lanes})
    fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) count: vec3<u32>,
            @builtin(local_invocation_index) lane: u32) {
      let i = linearWorkgroup(id, count) * ${lanes} + lane;
      if (i >= numbers.size) { return; }
      let value = numbers.factor * x[i];
      whole[i] = i32(floor(value));
      fraction[i] = value - floor(value);
    }`,
}));

registerWebgpuKernel(Toy, ({ inputs, outputs, shapes, attributes, dispatch }) => {
  const [size] = shapes.x;
  dispatch(toy({ lanes: LANES }), {
    bind: { ...inputs, ...outputs },
    numbers: { size, factor: attributes.factor },
    workgroups: Math.ceil(size / LANES),
  });
});

const backend = await startInNode();
if (!backend) t.test('kernels', { skip: NO_ADAPTER }, async () => {});
else runTests(backend);

function runTests(backend: WebGPUBackend): void {
  const split = async (values: number[], factor: number) => {
    const outputs = tf.tidy(() => runOp(Toy, { x: tf.tensor1d(values) }, { factor }));
    const read = await Promise.all(outputs.map((output) => output.data()));
    tf.dispose(outputs);
    return read.map((values) => [...values]);
  };

  t.test('outputs of several types, other numbers at every call', async (t) => {
    t.same(await split([1.5, 2.25, 4], 1), [
      [1, 2, 4],
      [0.5, 0.25, 0],
    ]);
    t.same(await split([1.5, 2.25, 4], 2), [
      [3, 4, 8],
      [0, 0.5, 0],
    ]);
  });

  t.test('a tensor without elements', async (t) => {
    t.same(await split([], 1), [[], []]);
  });

  t.test('more workgroups than a dimension has', async (t) => {
    const size = LANES * 65535 + 3;
    const [whole] = await split(
      Array.from({ length: size }, (_, i) => i),
      1,
    );
    t.equal(whole.length, size);
    t.ok(whole.every((value, i) => value === i));
  });

  t.test('among kernels of tfjs, in order', async (t) => {
    const result = tf.tidy(() => {
      let x: tf.Tensor = tf.tensor1d([0.5, 1.5]);
      for (let i = 0; i < 40; i++) x = tf.add(runOp(Toy, { x }, { factor: 1 })[1], runOp(Toy, { x })[0]);
      return x;
    });
    t.same([...(await result.data())], [0.5, 1.5]);
    result.dispose();
  });

  t.test('nothing is left', async (t) => {
    await split([1, 2], 3);
    const { numTensors } = tf.memory();
    const { numBytesUsed } = backend.bufferManager;
    for (let i = 0; i < 100; i++) await split([1, 2], 3);
    t.equal(tf.memory().numTensors, numTensors);
    t.equal(backend.bufferManager.numBytesUsed, numBytesUsed);
  });

  t.test('tf.time asks for time stamps', async (t) => {
    const x = tf.tensor1d([1, 2]);
    const time = (await tf.time(() => tf.dispose(runOp(Toy, { x })))) as { getExtraProfileInfo?(): string };
    t.match(time.getExtraProfileInfo?.(), /toy lanes=2: /);
    x.dispose();
  });

  t.test('a program that is wrong', async (t) => {
    const Broken = defineOp({
      name: 'ToyBroken',
      doc: 'has a kernel that does not compile',
      inputs: Toy.inputs,
      attributes: {},
      outputs: { y: { dtype: 'float32', shape: ['N'], doc: '' } },
    });
    const broken = program('broken', { writes: { y: 'f32' }, code: 'fn main() { nonsense }' });
    registerWebgpuKernel(Broken, ({ outputs, dispatch }) =>
      dispatch(broken, { bind: outputs, workgroups: 1 }),
    );
    const [output] = tf.tidy(() => runOp(Broken, { x: tf.tensor1d([1]) }));
    await t.rejects(output.data(), WebgpuError, 'reading');
    await t.rejects(
      output.data(),
      { code: 'INVALID_KERNEL', message: /^webgpu: broken: / },
      'and reading again',
    );
    t.throws(() => runOp(Toy, { x: output }), WebgpuError, 'and what is made of it');
    t.same(await split([1.5], 2), [[3], [0]], 'nothing else');
  });
}
