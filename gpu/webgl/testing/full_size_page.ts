/** GrootV-T at full size, with random weights, in a page: WebGL against tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs-core';
import { randomGrootV } from '../../../bench/random_model.js';
import { argmax, OWN_TREES, picture, pinned, predictOn } from '../../../testing/grootv_t.js';
import { maxDifference } from '../../../testing/measure.js';
import { setTreeBuilder } from '../index.js';
import { countGpuWork } from './measure.js';
import { pageTest } from './page_test.js';

/** The bound of webgl's logits with the same trees: docs/numerics.md. Gradients of whole models: the conformance suite. */
const SAME_TREES = 1e-3;

pageTest('logits', async (t) => {
  const reference = await predictOn('cpu');
  await tf.setBackend('webgl');
  const model = await randomGrootV();
  const [own, withTrees] = tf.tidy(() => {
    const image = picture();
    const free = model.execute({ image }) as tf.Tensor;
    const bound = model.execute({ image, ...pinned(reference) }) as tf.Tensor;
    return [free.dataSync(), bound.dataSync()] as Float32Array[];
  });
  t.atMost(maxDifference(withTrees, reference.logits), SAME_TREES, 'the same trees');
  t.atMost(maxDifference(own, reference.logits), OWN_TREES, 'own trees');
  t.equal(argmax(own), argmax(reference.logits), 'the same class');
  const image = picture();
  for (const [builder, readBacks] of [
    ['host', 16],
    ['device', 1],
  ] as const) {
    setTreeBuilder(builder);
    const { result, counts } = await countGpuWork(async () => {
      const logits = model.execute({ image }) as tf.Tensor;
      const values = await logits.data();
      logits.dispose();
      return values;
    });
    t.equal(maxDifference(result, own), 0, `${builder}: the same logits`);
    // One for the logits, and one for each tree where the host makes them.
    t.equal(counts.readBacks, readBacks, `${builder}: read-backs, ${JSON.stringify(counts)}`);
  }
  setTreeBuilder('host');
  image.dispose();
  model.dispose();
});
