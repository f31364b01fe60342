/** Tests scans and gradients of sizes that take another path, and their launches. For values see the specs. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { boruvkaMST, gridGraph, type ScanTree, treeScan } from '../../plugin/index.js';
import {
  differencesFromOracle,
  gridTree,
  pathTree,
  random,
  randomDecay,
  starTree,
} from '../../testing/tree_scans.js';
import { checkResources } from './testing/compare_trees.js';
import './index.js';
import { startCuda } from './backend/testing/cuda_backend.js';

await startCuda();

/** Tolerances of scans: docs/numerics.md; the deep path accumulates more rounding errors. */
const BOUND = 2e-6;
const DEEP_PATH_BOUND = 2e-5;
const AGGREGATES = ['root', 'all', 'leaves'] as const;
/** Channels and groups. In the first pair, a group's channels are in several blocks. */
const GROUPED = [
  [36, 1],
  [36, 4],
  [5, 1],
] as const;

/** Trees that are larger than the samples of the spec. */
const TREES: Readonly<Record<string, () => ScanTree>> = {
  'a path': () => pathTree(3136),
  'a star': () => starTree(500),
  // Its state exceeds the shared memory of every GPU.
  'a grid of 90 x 90': () => gridTree(1, 90, 90),
};

for (const [name, makeTree] of Object.entries(TREES)) {
  t.test(name, async (t) => {
    await tf.setBackend('cuda');
    const bound = name === 'a path' ? DEEP_PATH_BOUND : BOUND;
    for (const [i, aggregate] of AGGREGATES.entries()) {
      // One size each, except for the star, whose levels exceed every ring buffer: an emulated GPU is slow.
      const sizes = [[5, 5], ...(name === 'a star' ? [GROUPED[i]] : [])];
      for (const [channels, groups] of sizes) {
        const differences = await differencesFromOracle(makeTree, channels, aggregate, groups);
        t.ok(
          Math.max(...differences) <= bound,
          `${aggregate}, ${channels} in ${groups} groups: ${differences}`,
        );
      }
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
