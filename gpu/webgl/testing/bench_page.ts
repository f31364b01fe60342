/** The bench, in a page: counts only, since times of a test machine are no claim. */

import * as tf from '@tensorflow/tfjs-core';
import { compileFewerShaders } from '../../../conformance/runners/standard.js';
import { boruvkaMSTSpec } from '../../../plugin/ops/boruvka_mst.spec.js';
import { benchWebgl, type GpuCost } from './bench.js';
import '../index.js';
import { pageTest } from './page_test.js';

const show = ({ draws, readBacks, uploadedBytes, milliseconds }: GpuCost) =>
  `${draws} draws, ${readBacks} read-backs, ${uploadedBytes} bytes, ${milliseconds.toFixed(1)} ms`;

compileFewerShaders();

pageTest('the bench', async (t) => {
  const before = tf.memory().numTensors;
  const { renderer, isSoftware, costs } = await benchWebgl([{ side: 7, channels: 16, batch: 2 }]);
  t.equal(
    tf.memory().numTensors,
    before,
    `tensors left behind, on ${renderer}${isSoftware ? ' (software)' : ''}`,
  );
  for (const cost of costs) {
    t.ok(
      cost.draws > 0 &&
        cost.readBacks ===
          (/, host$/.test(cost.what) || cost.what.endsWith(`: ${boruvkaMSTSpec.op.name}`) ? 1 : 0),
      `${cost.what}: ${show(cost)}`,
    );
  }
});
