/** Checks that everything can be measured on the available adapter, and that counts are numbers. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { NO_ADAPTER, startInNode } from '../gpu/webgpu/testing/node_device.js';
import { gelu } from '../plugin/index.js';
import { countGpuCalls } from './gpu_calls.js';
import { benchWebgpu, formatWebgpuBench } from './webgpu.js';

const SMALL = {
  // tfjs adds up to 1,000 numbers on the CPU if their values are known there: the second size has more.
  stages: [
    { side: 3, channels: 4 },
    { side: 1, channels: 1024 },
  ],
  side: 32,
  repetitions: 1,
  model: { channels: 8, depths: [1, 1], mlpRatio: 2, layerScale: false, classes: 3 },
};

const backend = await startInNode();
if (!backend) t.test('the bench of WebGPU', { skip: NO_ADAPTER }, async () => {});
else {
  t.test('what is recorded while something runs', async (t) => {
    const x = tf.tensor2d([[1, 2, 3]]);
    const { result, calls } = countGpuCalls(() => gelu(x));
    t.match(
      calls,
      { dispatches: 1, passes: 1, uploads: 2, uploadedBytes: 28, readBacks: 0 },
      'x, and its size',
    );
    t.match(countGpuCalls(() => gelu(x).dispose()).calls, { dispatches: 1, uploads: 0 }, 'x is there');
    t.equal(countGpuCalls(() => void result.data()).calls.readBacks, 1);
    t.equal((await result.data()).length, 3);
    tf.dispose([x, result]);
  });

  t.test('the bench', async (t) => {
    const before = tf.memory().numTensors;
    const report = await benchWebgpu(() => {}, SMALL);
    t.equal(tf.memory().numTensors, before, 'tensors');
    const { adapter, isSoftware, ops, prediction } = report;
    t.ok(ops.length > 20, `${ops.length} ops`);
    t.ok(
      ops.every(({ passes }) => passes > 0),
      'each in passes of its own',
    );
    t.ok(adapter.length > 0, adapter);
    t.ok(prediction.later.dispatches > 20, `${prediction.later.dispatches} dispatches`);
    t.equal(prediction.later.readBacks, 0);
    const text = formatWebgpuBench(report);
    t.equal(/rank nothing/.test(text), isSoftware, 'software is marked');
    t.match(text, new RegExp(`a later one: ${prediction.later.dispatches} dispatches, `));
  });
}
