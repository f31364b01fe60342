import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { fixtureFiles, readFixture } from '../../testing/fixtures.js';
import { boruvkaMST, gridGraph } from '../index.js';

/** Kruskal with a stable sort: the oracle of the total order (weight, edge index). */
function kruskal(weights: ArrayLike<number>, edges: ArrayLike<number>, numVertices: number): number[] {
  const rank = (w: number) => (Number.isNaN(w) ? [1, 0] : [0, w]);
  const sorted = Array.from(weights, (w, e) => ({ e, key: rank(w) })).sort(
    (a, b) => a.key[0] - b.key[0] || (a.key[1] < b.key[1] ? -1 : a.key[1] > b.key[1] ? 1 : 0) || a.e - b.e,
  );
  const component = Array.from({ length: numVertices }, (_, v) => v);
  const chosen: number[] = [];
  for (const { e } of sorted) {
    const [u, v] = [component[edges[2 * e]], component[edges[2 * e + 1]]];
    if (u === v) continue;
    chosen.push(e);
    for (let i = 0; i < numVertices; i++) if (component[i] === v) component[i] = u;
  }
  return chosen.sort((a, b) => a - b);
}

/** Breadth-first order with neighbours ascending, the slow and obvious way. */
function breadthFirst(chosen: number[], edges: ArrayLike<number>, numVertices: number, root: number) {
  const neighbours = Array.from({ length: numVertices }, () => [] as number[]);
  for (const e of chosen) {
    neighbours[edges[2 * e]].push(edges[2 * e + 1]);
    neighbours[edges[2 * e + 1]].push(edges[2 * e]);
  }
  const order = [root];
  const parent = [0];
  for (let i = 0; i < order.length; i++) {
    for (const next of neighbours[order[i]].sort((a, b) => a - b)) {
      if (order.includes(next)) continue;
      order.push(next);
      parent.push(i);
    }
  }
  return { order, parent };
}

for (const backend of BACKENDS) {
  t.test(`boruvkaMST on ${backend}`, async (t) => {
    await t.test('the trees of the reference', async (t) => {
      const { leaked } = await onBackend(backend, () => {
        for (const file of fixtureFiles('grootv', /^mst_/)) {
          const fixture = readFixture(file);
          const [weights, edges] = [fixture.tensor('weights'), fixture.tensor('edges')];
          const numVertices = fixture.tensor('num_vertices').values[0];
          tf.tidy(() => {
            const tree = boruvkaMST(
              tf.tensor(weights.values as Float32Array, weights.shape),
              tf.tensor(edges.values as Int32Array, edges.shape, 'int32'),
              { numVertices },
            );
            const wanted = fixture.tensor('tree_edge_index_sorted');
            t.same([...tree.edgeIndex.dataSync()], [...wanted.values], file);
            t.same(tree.edgeIndex.shape, wanted.shape, file);
            const [batch, E] = weights.shape;
            for (let b = 0; b < batch; b++) {
              const chosen = [...tree.edgeIndex.dataSync()].slice(
                b * (numVertices - 1),
                (b + 1) * (numVertices - 1),
              );
              if (numVertices <= 200) {
                t.same(
                  chosen,
                  kruskal(weights.values.subarray(b * E, (b + 1) * E), edges.values, numVertices),
                );
              }
              const { order, parent } = breadthFirst(chosen, edges.values, numVertices, 0);
              const row = (x: tf.Tensor) => [...x.dataSync()].slice(b * numVertices, (b + 1) * numVertices);
              t.same(row(tree.order), order, `${file} order`);
              t.same(row(tree.parent), parent, `${file} parent`);
            }
          });
        }
      });
      t.equal(leaked, 0);
    });

    await t.test('any connected graph, ties, NaN, infinities and signed zeros: Kruskal agrees', async (t) => {
      const weight = fc.oneof(
        fc.constantFrom(0, -0, 1, 0.5, Number.NaN, Infinity, -Infinity, 1e-45, -1e-45),
        fc.float(),
      );
      const graph = fc.integer({ min: 1, max: 24 }).chain((numVertices) => {
        const vertex = fc.integer({ min: 0, max: numVertices - 1 });
        return fc.record({
          numVertices: fc.constant(numVertices),
          root: vertex,
          // A random attachment tree keeps it connected; more pairs may repeat edges or be loops.
          attach: fc.tuple(
            ...Array.from({ length: numVertices - 1 }, (_, v) => fc.integer({ min: 0, max: v })),
          ),
          more: fc.array(fc.tuple(vertex, vertex), { maxLength: 40 }),
          seed: fc.infiniteStream(weight),
        });
      });
      await onBackend(backend, () => {
        fc.assert(
          fc.property(graph, ({ numVertices, root, attach, more, seed }) => {
            const pairs = [...attach.map((u, i) => [i + 1, u as number]), ...more];
            const edges = Int32Array.from(pairs.flat());
            const batch = 2;
            const weights = Float32Array.from(
              { length: batch * pairs.length },
              () => seed.next().value as number,
            );
            tf.tidy(() => {
              const tree = boruvkaMST(
                tf.tensor2d(weights, [batch, pairs.length]),
                tf.tensor2d(edges, [pairs.length, 2], 'int32'),
                { numVertices, root },
              );
              for (let b = 0; b < batch; b++) {
                const rows = (x: tf.Tensor, n: number) => [...x.dataSync()].slice(b * n, (b + 1) * n);
                const chosen = kruskal(
                  weights.subarray(b * pairs.length, (b + 1) * pairs.length),
                  edges,
                  numVertices,
                );
                const wanted = breadthFirst(chosen, edges, numVertices, root);
                if (`${rows(tree.edgeIndex, numVertices - 1)}` !== `${chosen}`) throw new Error('edgeIndex');
                if (`${rows(tree.order, numVertices)}` !== `${wanted.order}`) throw new Error('order');
                if (`${rows(tree.parent, numVertices)}` !== `${wanted.parent}`) throw new Error('parent');
              }
            });
          }),
          { numRuns: 200 },
        );
      });
      t.pass();
    });

    await t.test('V = 1, and a batch of none', async (t) => {
      const { leaked } = await onBackend(backend, () => {
        const edges = gridGraph(1, 1);
        const weights = tf.zeros([3, 0]);
        const tree = boruvkaMST(weights, edges, { numVertices: 1 });
        t.same(tree.edgeIndex.shape, [3, 0]);
        t.same(tree.order.arraySync(), [[0], [0], [0]]);
        t.same(tree.parent.arraySync(), [[0], [0], [0]]);
        tree.dispose();
        const empty = tf.zeros([0, 0]);
        const none = boruvkaMST(empty, edges, { numVertices: 1 });
        t.same(none.order.shape, [0, 1]);
        none.dispose();
        tf.dispose([edges, weights, empty]);
      });
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

t.test('errors say what was given and what is expected', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const edges = tf.tensor2d([0, 1, 1, 2], [2, 2], 'int32');
      const weights = tf.zeros([1, 2]);
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => boruvkaMST(tf.zeros([2]), edges, { numVertices: 3 }),
        /BoruvkaMST: weights has shape \[2\], expected float32 weights\[B, E\]/,
      );
      fails(
        () => boruvkaMST(tf.cast(weights, 'int32'), edges, { numVertices: 3 }),
        /weights has dtype int32, expected float32/,
      );
      fails(
        () => boruvkaMST(weights, tf.cast(edges, 'float32'), { numVertices: 3 }),
        /edges has dtype float32, expected int32/,
      );
      fails(
        () => boruvkaMST(tf.zeros([1, 3]), edges, { numVertices: 3 }),
        /edges has shape \[2, 2\], expected \[E, 2\] = \[3, 2\]/,
      );
      fails(
        () => boruvkaMST(weights, tf.zeros([2, 3], 'int32'), { numVertices: 3 }),
        /edges has shape \[2, 3\], expected \[E, 2\] = \[2, 2\]/,
      );
      fails(
        () => boruvkaMST(weights, edges, { numVertices: 0 }),
        /numVertices is 0, expected an integer of at least 1/,
      );
      fails(
        () => boruvkaMST(weights, edges, undefined as unknown as { numVertices: number }),
        /BoruvkaMST: numVertices is undefined, expected an integer of at least 1/,
      );
      fails(() => boruvkaMST(weights, edges, { numVertices: 2.5 }), /numVertices is 2.5/);
      fails(
        () => boruvkaMST(weights, edges, { numVertices: 2 }),
        /edges\[1\] joins the vertices 1 and 2, expected vertex ids from 0 to 1/,
      );
      fails(() => boruvkaMST(weights, edges, { numVertices: 5 }), /3 components/);
      fails(
        () => boruvkaMST(tf.zeros([1, 0]), tf.zeros([0, 2], 'int32'), { numVertices: 4 }),
        /4 components/,
      );
      fails(
        () => boruvkaMST(weights, tf.tensor2d([0, 1, -1, 2], [2, 2], 'int32'), { numVertices: 3 }),
        /joins the vertices -1 and 2/,
      );
      fails(
        () => boruvkaMST(weights, edges, { numVertices: 3, root: 3 }),
        /root is 3, expected an integer from 0 to 2/,
      );
      fails(
        () => boruvkaMST(undefined as unknown as tf.Tensor, edges, { numVertices: 3 }),
        /weights is missing/,
      );
      fails(
        () => boruvkaMST([[1, 2]] as unknown as tf.Tensor, edges, { numVertices: 3 }),
        /weights is an array, expected a tensor/,
      );
    }),
  );
  t.equal(leaked, 0);
});
