/** Tests scans of sizes that take another path, and their dispatches. For values see the specs. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { countGpuCalls } from '../../bench/gpu_calls.js';
import {
  boruvkaMST,
  edgeDissimilarity,
  gridGraph,
  parentDissimilarity,
  treeScan,
} from '../../plugin/index.js';
import {
  differencesFromOracle,
  gridTree,
  pathTree,
  random,
  randomDecay,
  starTree,
} from '../../testing/tree_scans.js';
import './index.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

/** Tolerance of scans in shaders: docs/numerics.md. */
const BOUND = 2e-5;
const AGGREGATES = ['root', 'all', 'leaves'] as const;
/** Channels, and groups that share a decay: within a workgroup, and across several. */
const WIDTHS = [
  [5, 5],
  [6, 2],
  [18, 1],
] as const;

const TREES = {
  'a path': () => pathTree(700),
  // Two levels exceed the ring buffer.
  'a star': () => starTree(500),
  'two grids of 12 x 20': () => gridTree(2, 12, 20),
};

const backend = await startInNode();

for (const [name, makeTree] of Object.entries(TREES)) {
  t.test(name, { skip: !backend && NO_ADAPTER }, async (t) => {
    for (const aggregate of AGGREGATES) {
      for (const [channels, groups] of WIDTHS) {
        const differences = await differencesFromOracle(makeTree, channels, aggregate, groups);
        t.ok(Math.max(...differences) <= BOUND, `${aggregate}, ${groups} of ${channels}: ${differences}`);
      }
    }
  });
}

t.test('dispatches: weights, tree, scan and gradients', { skip: !backend && NO_ADAPTER }, async (t) => {
  const features = random([2, 63, 9], 1);
  const decay = randomDecay([2, 63, 9], 2);
  const edges = gridGraph(7, 9);
  const weights = countGpuCalls(() => edgeDissimilarity(features, edges));
  t.equal(weights.calls.dispatches, 1, 'weights');
  const tree = countGpuCalls(() => boruvkaMST(weights.result, edges, { numVertices: 63 }));
  t.equal(tree.calls.dispatches, 1, 'tree with order and plan');
  const shared = randomDecay([2, 63, 3], 2);
  for (const [what, weight, dispatches] of [
    ['a decay a channel', decay, 2],
    ['channels share decays', shared, 3],
  ] as const) {
    const scan = (x: tf.Tensor, decay: tf.Tensor) => treeScan(x, decay, tree.result);
    t.equal(countGpuCalls(() => scan(features, weight)).calls.dispatches, 1, `scan, ${what}`);
    const withGradients = countGpuCalls(() => tf.grads(scan)([features, weight], features));
    t.equal(withGradients.calls.dispatches, dispatches, `scan and gradients, ${what}`);
  }
  for (const [metric, dispatches] of [
    ['cosine', 3],
    ['euclidean', 2],
  ] as const) {
    const weigh = (features: tf.Tensor) => parentDissimilarity(features, tree.result, { metric, groups: 3 });
    t.equal(countGpuCalls(() => weigh(features)).calls.dispatches, 1, `to parents, ${metric}`);
    const andGradient = countGpuCalls(() => tf.grad(weigh)(features, shared));
    t.equal(andGradient.calls.dispatches, dispatches, `to parents and gradient, ${metric}`);
  }

  const [order, parent] = await Promise.all([tree.result.order.data(), tree.result.parent.data()]);
  const given = {
    order: tf.tensor2d(order as Int32Array, [2, 63], 'int32'),
    parent: tf.tensor2d(parent as Int32Array, [2, 63], 'int32'),
  };
  const again = () => treeScan(features, decay, given);
  t.equal(countGpuCalls(again).calls.dispatches, 2, 'the plan of a tree that was given, and the scan');
  t.equal(countGpuCalls(again).calls.dispatches, 1, 'the plan is kept');
});
