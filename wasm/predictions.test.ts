/**
 * Tests that predictions leak nothing in Node, with one thread. In a page, with two threads as well:
 * browser_threads.test.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { GrootV } from '../plugin/index.js';
import { convertedSink } from '../testing/models.js';
import { PredictionMemory } from '../testing/prediction_memory.js';
import { newWasmBackend } from '../testing/wasm_backend.js';
import { ready } from './index.js';

const PREDICTIONS = process.env.GROOTVL_LONG === '1' ? 1000 : 20;

for (const quantize of ['none', 'int8'] as const) {
  t.test(`${PREDICTIONS} predictions, weights: ${quantize}`, async (t) => {
    await newWasmBackend();
    await ready();
    const memory = new PredictionMemory();
    const model = await GrootV.load(await convertedSink('grootv/grootv_nano_mnist.pth', { quantize }));
    t.same(await memory.ofPredictions(model, PREDICTIONS), {});
    model.dispose();
    t.equal(memory.tensorsLeft(), 0);
  });
}

t.test('what each prediction leaves behind is seen', async (t) => {
  await newWasmBackend();
  await ready();
  const memory = new PredictionMemory();
  const model = await GrootV.load(await convertedSink('grootv/grootv_tiny_layerscale.pth'));
  const kept: tf.Tensor[] = [];
  const changed = await memory.ofPredictions(model, 5, () => {
    kept.push(tf.ones([100]));
  });
  t.same(changed, {
    numTensors: 2,
    numBytes: 800,
    numDataBuffers: 2,
    dataIds: 2,
    blocks: 2,
    blockBytes: 800,
  });
  model.dispose();
  t.equal(memory.tensorsLeft(), kept.length);
  tf.dispose(kept);
});
