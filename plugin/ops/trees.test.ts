/** Tests tree ops with tfjs's gradients, direct calls, and large graphs. For values see the specs. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { atParent, boruvkaMST, edgeDissimilarity, gridGraph, type Tree, treeScan } from '../index.js';
import { treeScanSpec } from './tree_scan.spec.js';

for (const backend of BACKENDS) {
  t.test(`trees on ${backend}`, async (t) => {
    await t.test('the gradient of a tree that comes from the features stops at the tree', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const edges = gridGraph(3, 3);
          const x = tf.randomNormal([1, 9, 2], 0, 1, 'float32', 6);
          const decay = tf.fill([1, 9, 2], 0.5);
          const weigh = (x: tf.Tensor) =>
            tf.reshape(tf.slice(tf.concat([x, x], 1), [0, 0, 0], [1, 12, 1]), [1, 12]);
          const through = tf.grad((x: tf.Tensor) =>
            treeScan(x, decay, boruvkaMST(weigh(x), edges, { numVertices: 9 })),
          )(x);
          const tree = boruvkaMST(weigh(x), edges, { numVertices: 9 });
          const pinned = tf.grad((x: tf.Tensor) => treeScan(x, decay, tree))(x);
          t.same(through.arraySync(), pinned.arraySync());
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test(
      'the gradient of decays made of features and their parents’ stops at the tree',
      async (t) => {
        const { leaked } = await onBackend(backend, () =>
          tf.tidy(() => {
            const edges = gridGraph(3, 4);
            const features = tf.randomNormal([2, 12, 3], 0, 1, 'float32', 7);
            const ones = tf.ones([2, 12, 3]);
            const treeOf = (features: tf.Tensor) =>
              boruvkaMST(edgeDissimilarity(features, edges), edges, { numVertices: 12 });
            const filtered = (features: tf.Tensor, tree: Tree) => {
              const gap = tf.sub(features, atParent(features, tree));
              return treeScan(ones, tf.exp(tf.neg(tf.square(gap))), tree);
            };
            const pinned = treeOf(features);
            const through = tf.grad((x: tf.Tensor) => filtered(x, treeOf(x)))(features);
            t.same(
              through.dataSync(),
              tf
                .grad((x: tf.Tensor) => filtered(x, pinned))(features)
                .dataSync(),
            );
            t.ok(tf.max(tf.abs(through)).dataSync()[0] > 0.1);
          }),
        );
        t.equal(leaked, 0);
      },
    );

    await t.test('through tf.engine().runKernel, with its gradient', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const tree = boruvkaMST(tf.zeros([1, 4]), gridGraph(2, 2), { numVertices: 4 });
          const inputs = (x: tf.Tensor) => ({ x, decay, order: tree.order, parent: tree.parent });
          const decay = tf.fill([1, 4, 1], 0.5);
          const x = tf.ones([1, 4, 1]);
          treeScan(x, decay, tree); // a backend without a kernel of ours gets one on its first use
          const run = (x: tf.Tensor) =>
            tf.engine().runKernel(treeScanSpec.op.name, inputs(x) as unknown as tf.NamedTensorMap, {
              aggregate: 'root',
            }) as tf.Tensor;
          t.same(run(x).dataSync(), treeScan(x, decay, tree, { aggregate: 'root' }).dataSync());
          t.same(
            tf.grad(run)(x).dataSync(),
            tf
              .grad((x) => treeScan(x, decay, tree, { aggregate: 'root' }))(x)
              .dataSync(),
          );
        }),
      );
    });

    await t.test('a quarter of a million vertices, and V = 1', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const V = 250_000;
          const path = boruvkaMST(tf.zeros([1, V - 1]), gridGraph(1, V), { numVertices: V });
          const ones = tf.ones([1, V, 1]);
          t.equal(tf.max(treeScan(ones, ones, path)).dataSync()[0], V);
          const [dx] = tf.grads((x, w) => tf.sum(treeScan(x, w, path, { aggregate: 'root' })))([
            ones,
            tf.ones([1, V, 1]),
          ]);
          t.equal(tf.max(dx).dataSync()[0], V);
          const single = boruvkaMST(tf.zeros([2, 0]), gridGraph(1, 1), { numVertices: 1 });
          const x = tf.tensor3d([1, 2, 3, 4], [2, 1, 2]);
          t.same(treeScan(x, x, single).arraySync(), x.arraySync());
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('a grid of a quarter of a million vertices', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const weights = tf.randomUniform([1, 499 * 500 * 2], 0, 1, 'float32', 7) as tf.Tensor2D;
          const { order, parent } = boruvkaMST(weights, gridGraph(500, 500), { numVertices: 250_000 });
          t.equal(new Set(order.dataSync()).size, 250_000);
          t.ok(parent.dataSync().every((p, i) => (i === 0 ? p === 0 : p < i)));
        }),
      );
      t.equal(leaked, 0);
    });
  });
}
