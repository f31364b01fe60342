/** The benchmark in a page: checks only counts, since times of a test machine mean nothing. */

import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMSTSpec } from '../../../plugin/ops/boruvka_mst.spec.js';
import { pathTreeSpec } from '../../../plugin/ops/path_tree.spec.js';
import type { OpSpec } from '../../../plugin/ops/spec/spec.js';
import { benchWebgl, type GpuCost } from './bench.js';
import '../index.js';
import { quickPageTest } from './page_test.js';

const show = ({ draws, readBacks, uploadedBytes, milliseconds }: GpuCost) =>
  `${draws} draws, ${readBacks} read-backs, ${uploadedBytes} bytes, ${milliseconds.toFixed(1)} ms`;

quickPageTest('the bench', async (t) => {
  const before = tf.memory().numTensors;
  const { renderer, isSoftware, costs } = await benchWebgl([{ side: 7, channels: 16, batch: 2 }]);
  t.equal(
    tf.memory().numTensors,
    before,
    `tensors left behind, on ${renderer}${isSoftware ? ' (software)' : ''}`,
  );
  for (const cost of costs) {
    const isOf = ({ op }: OpSpec) => cost.what.endsWith(`: ${op.name}`);
    const readBacks = /, host$/.test(cost.what) || isOf(boruvkaMSTSpec) ? 1 : 0;
    // A path is written by the host.
    const isDrawn = cost.draws > 0 || isOf(pathTreeSpec);
    t.ok(isDrawn && cost.readBacks === readBacks, `${cost.what}: ${show(cost)}`);
  }
});
