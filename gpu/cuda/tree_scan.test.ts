/** Scans and gradients of sizes that take another path, and what they launch. Values: see the specs. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { boruvkaMST, gridGraph, treeScan } from '../../plugin/index.js';
import * as oracle from '../../plugin/ops/spec/tree_scan.js';
import { relativeDifference } from '../../testing/measure.js';
import { checkResources, random, randomDecay } from './testing/compare_trees.js';
import './index.js';
import { startCuda } from './backend/testing/cuda_backend.js';

await startCuda();

/** The bounds of scans: docs/numerics.md; the deep path adds up more rounding. */
const BOUND = 2e-6;
const DEEP_PATH_BOUND = 2e-5;
const AGGREGATES = ['root', 'all'] as const;

function treeOf(order: number[][], parent: number[][]): { order: tf.Tensor2D; parent: tf.Tensor2D } {
  return { order: tf.tensor2d(order, undefined, 'int32'), parent: tf.tensor2d(parent, undefined, 'int32') };
}

/** Trees [order, parent] that are larger than the samples of the spec. */
const TREES: Readonly<Record<string, () => ReturnType<typeof treeOf>>> = {
  'a path': () => {
    const positions = Array.from({ length: 3136 }, (_, i) => i);
    return treeOf([positions.map((i) => 3135 - i)], [positions.map((i) => Math.max(0, i - 1))]);
  },
  'a star': () => {
    const positions = Array.from({ length: 500 }, (_, i) => i);
    return treeOf([positions], [positions.map(() => 0)]);
  },
  // Its state is more than shared memory holds, whatever the GPU.
  'a grid of 90 x 90': () => gridTree(1, 90, 90),
};

function gridTree(batch: number, height: number, width: number): ReturnType<typeof treeOf> {
  const edges = gridGraph(height, width);
  const weights = random([batch, edges.shape[0]], height) as tf.Tensor2D;
  return boruvkaMST(weights, edges, { numVertices: height * width });
}

for (const [name, makeTree] of Object.entries(TREES)) {
  t.test(name, async (t) => {
    await tf.setBackend('cuda');
    for (const aggregate of AGGREGATES) {
      const channels = 5;
      const outputs = tf.tidy(() => {
        const { order, parent } = makeTree();
        const [batch, numVertices] = order.shape;
        const shape = [batch, numVertices, channels];
        const x = random(shape, 1);
        const decay = randomDecay(shape, 2);
        const dy = random(shape, 3) as tf.Tensor3D;
        const scan = (x: tf.Tensor, decay: tf.Tensor) => treeScan(x, decay, { order, parent }, { aggregate });
        const { value, grads } = tf.valueAndGrads(scan)([x, decay], dy);
        const [xs, decays, dys, orders, parents] = [x, decay, dy, order, parent].map((v) => v.dataSync());
        const found = [value, ...grads].map((tensor) => tensor.dataSync());
        return Array.from({ length: batch }, (_, b) => {
          const rows = (values: ArrayLike<number>) =>
            Array.from(values).slice((b * values.length) / batch, ((b + 1) * values.length) / batch);
          const tree = { order: Int32Array.from(rows(orders)), parent: Int32Array.from(rows(parents)) };
          const given = [rows(xs), rows(decays)] as const;
          const y = oracle.treeScan(...given, tree, channels, aggregate);
          const { dx, ddecay } = oracle.treeScanGradient(...given, rows(dys), tree, channels, aggregate);
          return [y, dx, ddecay].map((expected, i) => relativeDifference(rows(found[i]), expected));
        });
      });
      const largest = Math.max(...outputs.flat());
      const bound = name === 'a path' ? DEEP_PATH_BOUND : BOUND;
      t.ok(largest <= bound, `${aggregate}, D = ${channels}: ${largest}`, { outputs });
    }
  });
}

t.test('the schedule of a tree is made once and goes with the tree', async (t) => {
  await tf.setBackend('cuda');
  const [x, decay] = [tf.keep(random([2, 63, 9], 1)), tf.keep(randomDecay([2, 63, 9], 2))];
  const edges = tf.keep(gridGraph(7, 9));
  const weights = tf.keep(random([2, edges.shape[0]], 3) as tf.Tensor2D);
  const { counts } = await startCuda();
  await checkResources(t, () => {
    const tree = boruvkaMST(weights, edges, { numVertices: 63 });
    const scan = () => treeScan(x, decay, tree).dispose();
    const launchesOf = (run: () => void) => {
      const { launches } = counts();
      run();
      return counts().launches - launches;
    };
    t.equal(launchesOf(scan), 2, 'the schedule and the scan');
    t.equal(launchesOf(scan), 1, 'the scan alone');
    tree.dispose();
  });
  tf.dispose([x, decay, edges, weights]);
});
