/**
 * Trees in any order with parents first: kernels get them in breadth-first order, converted once and freed with the tree.
 */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { boruvkaMST, gridGraph, treeScan } from '../index.js';
import { defineOp } from '../ops/declare.js';
import { checkTree } from '../ops/graph_checks.js';
import { registerBackendKernel, runOp } from '../ops/kernels.js';
import { breadthFirst } from './breadth_first.js';

/** Trees of one batch: vertex ids, and for each position a number that determines its parent's position. */
const trees = fc
  .record({ numVertices: fc.integer({ min: 1, max: 40 }), batch: fc.integer({ min: 0, max: 3 }) })
  .chain(({ numVertices, batch }) =>
    fc.array(
      fc.record({
        order: fc.shuffledSubarray(
          Array.from({ length: numVertices }, (_, v) => v),
          { minLength: numVertices },
        ),
        parent: fc
          .array(fc.nat(), { minLength: numVertices, maxLength: numVertices })
          .map((numbers) => numbers.map((number, i) => (i === 0 ? 0 : number % i))),
      }),
      { minLength: batch, maxLength: batch },
    ),
  );

/** By definition: from the root, the children of each vertex are appended to the queue in their given order. */
function queued(order: readonly number[], parent: readonly number[]): { order: number[]; parent: number[] } {
  const result: { order: number[]; parent: number[] } = { order: [], parent: [] };
  const queue = [{ at: 0, parent: 0 }];
  for (let i = 0; i < queue.length; i++) {
    result.order.push(order[queue[i].at]);
    result.parent.push(queue[i].parent);
    parent.forEach((p, child) => {
      if (child > 0 && p === queue[i].at) queue.push({ at: child, parent: i });
    });
  }
  return result;
}

t.test('any trees are brought into the order of a queue, unless they are in it', (t) => {
  const property = fc.property(trees, (rows) => {
    const flat = (name: 'order' | 'parent') => Int32Array.from(rows.flatMap((row) => row[name]));
    const given = { order: flat('order'), parent: flat('parent') };
    const expected = rows.map(({ order, parent }) => queued(order, parent));
    const found = breadthFirst(given, rows.length, rows[0]?.order.length ?? 1) ?? given;
    for (const name of ['order', 'parent'] as const) {
      if (`${[...found[name]]}` !== `${expected.flatMap((row) => row[name])}`) throw new Error(name);
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 300 }));
  const ordered = { order: Int32Array.of(2, 0, 1), parent: Int32Array.of(0, 0, 0) };
  t.equal(breadthFirst(ordered, 1, 3), undefined, 'no copy is made');
  t.end();
});

const TreeProbe = defineOp({
  name: 'TreeProbe',
  doc: 'the tree that a kernel sees',
  inputs: {
    order: { dtype: 'int32', shape: ['B', 'V'], doc: '' },
    parent: { dtype: 'int32', shape: ['B', 'V'], doc: '' },
  },
  attributes: {},
  outputs: { seen: { dtype: 'int32', shape: ['2', 'B', 'V'], doc: 'order and parent' } },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) => checkTree('TreeProbe', order, parent, read),
});
const seenData: object[] = [];

for (const backend of BACKENDS) {
  registerBackendKernel(TreeProbe, backend, ({ inputs, outputs: [{ shape, dtype }], backend }) => {
    const { order, parent } = inputs as Record<string, tf.TensorInfo>;
    seenData.push(order.dataId, parent.dataId);
    const values = [order, parent].flatMap(({ dataId }) => [...(backend.readSync(dataId) as Int32Array)]);
    return [{ dataId: backend.write(Int32Array.from(values), shape, dtype), shape, dtype }];
  });
  const probe = (tree: { order: tf.Tensor; parent: tf.Tensor }) => {
    seenData.length = 0;
    return runOp(TreeProbe, { order: tree.order, parent: tree.parent })[0];
  };
  const depthFirst = () => ({
    order: tf.tensor2d([[0, 1, 2, 4, 3, 5]], undefined, 'int32'),
    parent: tf.tensor2d([[0, 0, 1, 2, 0, 1]], undefined, 'int32'),
  });

  t.test(backend, async (t) => {
    await t.test('a kernel sees the breadth-first order, the same tensors every time', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const tree = depthFirst();
          t.same([...probe(tree).dataSync()], [0, 1, 3, 2, 5, 4, 0, 0, 0, 1, 1, 3]);
          const first = [...seenData];
          probe({ ...tree, order: tf.reshape(tree.order, [1, 6]) });
          t.ok(seenData.every((dataId, i) => dataId === first[i]));
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('trees of boruvkaMST, and others in that order, are seen as they are', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const made = boruvkaMST(tf.zeros([1, 7]), gridGraph(2, 3), { numVertices: 6 });
          const path = tf.tensor2d([[0, 0, 1]], undefined, 'int32');
          for (const tree of [made, { order: tf.tensor2d([[2, 0, 1]], undefined, 'int32'), parent: path }]) {
            probe(tree);
            t.equal(seenData[0], tree.order.dataId);
            t.equal(seenData[1], tree.parent.dataId);
          }
        }),
      );
    });

    await t.test('what is made of a tree goes with either of its tensors', async (t) => {
      await onBackend(backend, () => {
        for (const name of ['order', 'parent'] as const) {
          const before = tf.backend().numDataIds();
          const tree = depthFirst();
          probe(tree).dispose();
          t.equal(tf.backend().numDataIds(), before + 4);
          tree[name].dispose();
          t.equal(tf.backend().numDataIds(), before + 1, name);
          tf.dispose(tree);
          t.equal(tf.backend().numDataIds(), before);
        }
      });
    });

    await t.test('a scan gives the same by vertex id, whatever the order', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const x = tf.tensor3d([1, 2, 4, 8, 16, 32], [1, 6, 1]);
          const decay = tf.fill([1, 6, 1], 0.5);
          const ids = (values: number[]) => tf.tensor2d([values], undefined, 'int32');
          const ordered = { order: ids([0, 1, 3, 2, 5, 4]), parent: ids([0, 0, 0, 1, 1, 3]) };
          const [found, expected] = [depthFirst(), ordered].map((tree) =>
            treeScan(x, decay, tree).dataSync(),
          );
          t.same(found, expected);
        }),
      );
    });
  });
}
