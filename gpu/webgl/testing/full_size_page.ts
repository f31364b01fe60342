/** GrootV-T at full size, with random weights, in a page: WebGL against wasm, which Node compares with cpu. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { argmax, loadGrootVT, OWN_TREES, pinned, predictOn, testImage } from '../../../testing/grootv_t.js';
import { maxDifference } from '../../../testing/measure.js';
import '../../../wasm/index.js';
import { setTreeBuilder, type TreeBuilder } from '../index.js';
import { countGpuWork } from './measure.js';
import { quickPageTest } from './page_test.js';

/** Tolerance of webgl's logits with the same trees: docs/numerics.md. Gradients of whole models: the conformance suite. */
const SAME_TREES = 1e-3;

quickPageTest('logits', async (t) => {
  setWasmPaths('/tfjs-wasm/');
  const reference = await predictOn('wasm');
  await tf.setBackend('webgl');
  const model = await loadGrootVT();
  const image = testImage();
  const own = new Map<TreeBuilder, Float32Array>();
  const builders: readonly (readonly [TreeBuilder, number])[] = [
    ['device', 1],
    // Trees of this size from both builders: device_tree_page.ts; a whole model: device_scan_page.ts.
    ...(process.env.GROOTVL_LONG ? [['host', 16] as const] : []),
  ];
  for (const [builder, readBacks] of builders) {
    setTreeBuilder(builder);
    const { result, counts } = await countGpuWork(async () => {
      const logits = model.execute({ image }) as tf.Tensor;
      const values = await logits.data<'float32'>();
      logits.dispose();
      return values;
    });
    own.set(builder, result);
    t.atMost(maxDifference(result, reference.logits), OWN_TREES, `${builder}: own trees`);
    t.equal(argmax(result), argmax(reference.logits), `${builder}: the same class`);
    // One for the logits, and one for each tree if the host builds them.
    t.equal(counts.readBacks, readBacks, `${builder}: read-backs, ${JSON.stringify(counts)}`);
  }
  const [device, host = device] = own.values();
  t.equal(maxDifference(device, host), 0, 'the same logits from both builders');
  const withTrees = tf.tidy(() => (model.execute({ image, ...pinned(reference) }) as tf.Tensor).dataSync());
  t.atMost(maxDifference(withTrees, reference.logits), SAME_TREES, 'the same trees');
  setTreeBuilder('host');
  image.dispose();
  model.dispose();
});
