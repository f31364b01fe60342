/** Tests the cache of checked trees and graphs: it depends on the shape and on the root. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { checkTrees } from '../../testing/invalid_trees.js';
import { boruvkaMST, gridGraph, selectiveTreeScan, treeScan } from '../index.js';
import { selectiveTreeScanSpec } from './selective_tree_scan.spec.js';

for (const backend of BACKENDS) {
  t.test(backend, async (t) => {
    await t.test('trees in another shape, or with another root, are refused', async (t) => {
      const { leaked } = await onBackend(backend, () => checkTrees(t));
      t.equal(leaked, 0);
    });

    await t.test('a tree is read once for a shape', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const ids = (values: number[]) => tf.tensor2d(values, [1, 4], 'int32');
          const tree = { order: ids([0, 1, 2, 3]), parent: ids([0, 0, 1, 2]) };
          const x = tf.ones([1, 4, 2]);
          const reads = countReads(() => treeScan(x, x, tree));
          t.ok(reads >= 2, 'the order and the parents');
          const again = countReads(() => {
            treeScan(x, x, { order: tf.reshape(tree.order, [1, 4]), parent: tree.parent });
          });
          t.equal(again, reads - 2);
        }),
      );
    });

    await t.test('the gradient of selective tree scans refuses other roots', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const tree = boruvkaMST(tf.zeros([1, 3]), gridGraph(1, 4), { numVertices: 4, root: 3 });
          const gate = tf.ones([1, 4, 1]);
          const inputs = { deltaU: gate, logA: tf.zeros([1, 1]), inputGate: gate, outputGate: gate };
          const scan = (step: tf.Tensor) => selectiveTreeScan({ step, ...inputs }, tree).y;
          t.throws(() => tf.grad(scan)(gate), {
            name: 'OpError',
            message: `${selectiveTreeScanSpec.op.name}: order[0, 0] is 3, expected a tree rooted at vertex 0`,
          });
        }),
      );
    });
  });
}

/** Counts how often values are read from the current backend. */
function countReads(run: () => void): number {
  const backend = tf.backend();
  const { readSync } = backend;
  let count = 0;
  backend.readSync = (dataId) => {
    count++;
    return readSync.call(backend, dataId);
  };
  try {
    run();
  } finally {
    backend.readSync = readSync;
  }
  return count;
}
