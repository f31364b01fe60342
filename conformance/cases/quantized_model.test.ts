/** Models with 8-bit weights: errors in a single layer, or in the rounding of its rows, are detected. */
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { QuantizedLinear } from '../../plugin/ops/quantized_linear.js';
import { float32, onlyMatching, sampled } from '../case.js';
import { digestOf } from '../digest.js';
import { runConformance } from '../index.js';
import { directorySource } from '../node.js';
import { nodeLoaders } from '../runners/node_backends.js';
import { standardBackend } from '../runners/standard.js';
import { loadCases } from './load.js';

const all = directorySource(fileURLToPath(new URL('../../fixtures/grootv', import.meta.url)));
const source = {
  ...all,
  list: async () => (await all.list()).filter((path) => /tiny_layerscale/.test(path)),
};
const cases = sampled(await loadCases(source), onlyMatching(', int8: '));
const run = async () =>
  (await runConformance({ backends: [standardBackend('wasm', nodeLoaders)], cases })).cases;

t.test('the model as it is', async (t) => {
  t.match(await run(), [{ op: 'GrootV, int8', verdict: 'pass', bits: /^[0-9a-f]{16}$/ }]);
});

t.test('a layer with another last bit, and one that is too large', async (t) => {
  const right = tf.getKernel(QuantizedLinear.name, 'wasm') as tf.KernelConfig;
  for (const factor of [1 + 2 ** -22, 1.01]) {
    tf.unregisterKernel(right.kernelName, 'wasm');
    tf.registerKernel({
      ...right,
      kernelFunc: (call) => {
        const info = right.kernelFunc(call) as tf.TensorInfo;
        const y = tf.engine().makeTensorFromTensorInfo(info);
        const result = tf.tidy(() => tf.mul(y, factor));
        y.dispose();
        return result;
      },
    });
    const [{ verdict, reason }] = await run();
    tf.unregisterKernel(right.kernelName, 'wasm');
    tf.registerKernel(right);
    t.equal(verdict, 'fail', reason);
    t.match(reason, /^blocks_\d+\/\w+\[\d+\] is /, `the layer is named: ${reason}`);
  }
});

t.test('a digest changes with any bit and any place', async (t) => {
  const of = (...values: number[]) => digestOf([float32([values.length], values)]);
  t.equal(of(1, 2, Number.NaN), of(1, 2, Number.NaN));
  for (const other of [
    [1, 2],
    [2, 1, Number.NaN],
    [1, 2 + 2 ** -22, Number.NaN],
    [1, 2, 0],
    [-0, 2, 0],
  ]) {
    t.not(of(...other), of(1, 2, Number.NaN), `${other}`);
  }
  t.not(of(0), of(-0));
});
