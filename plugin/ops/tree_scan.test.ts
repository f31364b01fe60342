import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { channelsLast, type Fixture, fixtureFiles, readFixture } from '../../testing/fixtures.js';
import { relativeDifference } from '../../testing/measure.js';
import { type Aggregate, boruvkaMST, gridGraph, type Tree, treeScan } from '../index.js';

/** Contract, section 5: relative to the largest |value|. The 3136-deep paths accumulate more rounding. */
const BOUND = 2e-6;
const DEEP_PATH_BOUND = 2e-5;

/** The fixture's tree (parent vertex ids, -1 at the root) as order and parent positions. */
function treeOf(fixture: Fixture) {
  const order = fixture.tensor('bfs_sorted_index');
  const parentId = fixture.tensor('parent').values;
  const [batch, numVertices] = order.shape;
  const parent = new Int32Array(order.values.length);
  for (let b = 0; b < batch; b++) {
    const row = order.values.subarray(b * numVertices, (b + 1) * numVertices);
    const position = new Map([...row].map((v, i) => [v, i]));
    for (let i = 1; i < numVertices; i++) {
      parent[b * numVertices + i] = position.get(parentId[b * numVertices + row[i]]) as number;
    }
  }
  return {
    order: tf.tensor2d(order.values as Int32Array, [batch, numVertices], 'int32'),
    parent: tf.tensor2d(parent, [batch, numVertices], 'int32'),
  };
}

/** Both modes and their gradients in float64 from the definition, for one tree and one channel: O(V^2). */
function oracle(
  x: number[],
  decay: number[],
  order: ArrayLike<number>,
  parent: ArrayLike<number>,
  aggregate: Aggregate,
): number[] {
  const up = new Map<number, number>();
  for (let i = 1; i < order.length; i++) up.set(order[i], order[parent[i]]);
  const y = x.slice();
  const ancestors = (v: number) => {
    const chain = new Map([[v, 1]]);
    let product = 1;
    for (let at = v; up.has(at); at = up.get(at) as number) {
      product *= decay[at];
      chain.set(up.get(at) as number, product);
    }
    return chain;
  };
  for (let u = 0; u < x.length; u++) {
    const fromU = ancestors(u);
    for (let v = 0; v < x.length; v++) {
      if (u === v) continue;
      const fromV = ancestors(v);
      if (aggregate === 'root') {
        if (fromU.has(v)) y[v] += x[u] * (fromU.get(v) as number);
      } else {
        for (const [meet, product] of fromU) {
          if (fromV.has(meet)) {
            y[v] += x[u] * product * (fromV.get(meet) as number);
            break; // the first common ancestor
          }
        }
      }
    }
  }
  return y;
}

for (const backend of BACKENDS) {
  t.test(`treeScan on ${backend}`, async (t) => {
    await t.test('the reference, forward and gradients', async (t) => {
      const { leaked } = await onBackend(backend, () => {
        for (const file of fixtureFiles('grootv', /^treescan_/)) {
          const fixture = readFixture(file);
          const bound = /L3136/.test(file) ? DEEP_PATH_BOUND : BOUND;
          tf.tidy(() => {
            const input = (name: string) => {
              const { shape, values } = channelsLast(fixture.tensor(name));
              return tf.tensor3d(values as Float32Array, shape as [number, number, number]);
            };
            const [x, decay, dy] = ['feature_in', 'edge_weight', 'grad_output'].map(input);
            const tree = treeOf(fixture);
            const { value, grads } = tf.valueAndGrads((x, decay) => treeScan(x, decay, tree))([x, decay], dy);
            const distance = (result: tf.Tensor, name: string) =>
              relativeDifference(result.dataSync(), channelsLast(fixture.tensor(name)).values);
            t.ok(
              distance(value, 'feature_out_true') <= bound,
              `${file} y: ${distance(value, 'feature_out_true')}`,
            );
            t.ok(
              distance(grads[0], 'grad_x_true') <= bound,
              `${file} dx: ${distance(grads[0], 'grad_x_true')}`,
            );
            t.ok(
              distance(grads[1], 'grad_w_true') <= bound,
              `${file} ddecay: ${distance(grads[1], 'grad_w_true')}`,
            );
          });
        }
      });
      t.equal(leaked, 0);
    });

    await t.test('small random trees: the definition, and central differences of it', async (t) => {
      const { leaked } = await onBackend(backend, () => {
        const cases = fc.record({
          parents: fc
            .integer({ min: 0, max: 11 })
            .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => fc.integer({ min: 0, max: i })))),
          shuffle: fc.integer(),
          decay: fc.array(fc.constantFrom(0, 1, 0.5, 0.999999, -0.75, 0.25), {
            minLength: 12,
            maxLength: 12,
          }),
          x: fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 12, maxLength: 12 }),
          aggregate: fc.constantFrom<Aggregate>('root', 'all'),
        });
        fc.assert(
          fc.property(cases, ({ parents, shuffle, decay, x, aggregate }) => {
            const V = parents.length + 1;
            const order = Array.from({ length: V }, (_, i) => (i * 7 + (shuffle >>> 0)) % V);
            if (new Set(order).size !== V) return; // 7 divides V
            const parent = [0, ...(parents as number[])];
            const [xs, ws] = [x.slice(0, V), decay.slice(0, V)];
            const dy = xs.map((_, i) => ((i * 5) % 7) - 3);
            const f = (xs: number[], ws: number[]) =>
              oracle(xs, ws, order, parent, aggregate).reduce((total, y, i) => total + y * dy[i], 0);
            const difference = (values: number[], along: (values: number[]) => number) =>
              values.map((_, i) => {
                const h = 2 ** -12; // f is at most quadratic in each value: central differences are exact
                const moved = (by: number) => along(values.map((value, j) => (i === j ? value + by : value)));
                return (moved(h) - moved(-h)) / (2 * h);
              });
            tf.tidy(() => {
              const tree = {
                order: tf.tensor2d(order, [1, V], 'int32'),
                parent: tf.tensor2d(parent, [1, V], 'int32'),
              };
              const scan = (x: tf.Tensor, w: tf.Tensor) => treeScan(x, w, tree, { aggregate });
              const { value, grads } = tf.valueAndGrads(scan)(
                [tf.tensor3d(xs, [1, V, 1]), tf.tensor3d(ws, [1, V, 1])],
                tf.tensor3d(dy, [1, V, 1]),
              );
              const close = (given: tf.Tensor, wanted: number[], what: string) => {
                const scale = Math.max(1, ...wanted.map(Math.abs));
                const values = given.dataSync();
                for (let i = 0; i < V; i++) {
                  if (Math.abs(values[i] - wanted[i]) > 1e-5 * scale) {
                    throw new Error(`${what}[${i}] is ${values[i]}, wanted ${wanted[i]}`);
                  }
                }
              };
              close(value, oracle(xs, ws, order, parent, aggregate), 'y');
              close(
                grads[0],
                difference(xs, (moved) => f(moved, ws)),
                'dx',
              );
              const dw = difference(ws, (moved) => f(xs, moved));
              close(grads[1], dw, 'ddecay');
              if (grads[1].dataSync()[order[0]] !== 0) throw new Error('the root has no edge to a parent');
            });
          }),
          { numRuns: 300 },
        );
      });
      t.equal(leaked, 0);
    });

    await t.test('batches: every item as if it were alone', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const [B, H, W, D] = [3, 4, 5, 3];
          const weights = tf.randomUniform([B, 31], 0, 1, 'float32', 3);
          const x = tf.randomNormal([B, H * W, D], 0, 1, 'float32', 4);
          const decay = tf.randomUniform([B, H * W, D], 0, 1, 'float32', 5);
          const edges = gridGraph(H, W);
          const together = treeScan(x, decay, boruvkaMST(weights, edges, { numVertices: H * W })).arraySync();
          for (let b = 0; b < B; b++) {
            const item = (tensor: tf.Tensor) => tf.slice(tensor, b, 1);
            const tree = boruvkaMST(item(weights), edges, { numVertices: H * W });
            t.same(treeScan(item(x), item(decay), tree).arraySync()[0], together[b]);
          }
        }),
      );
    });

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

    await t.test('through tf.engine().runKernel, with its gradient', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const tree = boruvkaMST(tf.zeros([1, 4]), gridGraph(2, 2), { numVertices: 4 });
          const inputs = (x: tf.Tensor) => ({ x, decay, order: tree.order, parent: tree.parent });
          const decay = tf.fill([1, 4, 1], 0.5);
          const x = tf.ones([1, 4, 1]);
          treeScan(x, decay, tree); // a backend without a kernel of ours has one from its first use on
          const run = (x: tf.Tensor) =>
            tf.engine().runKernel('TreeScan', inputs(x) as unknown as tf.NamedTensorMap, {
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
  });
}

t.test('errors say what was given and what is expected', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const x = tf.zeros([1, 4, 2]);
      const ids = (values: number[]) => tf.tensor2d(values, [1, 4], 'int32');
      const tree = { order: ids([0, 1, 2, 3]), parent: ids([0, 0, 1, 2]) };
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => treeScan(tf.zeros([4, 2]), x, tree),
        /TreeScan: x has shape \[4, 2\], expected float32 x\[B, V, D\]/,
      );
      fails(
        () => treeScan(x, tf.zeros([1, 4, 3]), tree),
        /decay has shape \[1, 4, 3\], expected \[B, V, D\] = \[1, 4, 2\]/,
      );
      fails(
        () => treeScan(tf.zeros([2, 4, 2]), tf.zeros([2, 4, 2]), tree),
        /order has shape \[1, 4\], expected \[B, V\] = \[2, 4\]/,
      );
      fails(
        () => treeScan(x, x, undefined as unknown as Tree),
        /TreeScan: order is missing, expected int32 order/,
      );
      fails(() => treeScan(x, tf.cast(x, 'int32'), tree), /decay has dtype int32, expected float32/);
      fails(() => treeScan(x, x, { ...tree, order: ids([0, 1, 1, 3]) }), /order\[0, 2\] is 1, a second time/);
      fails(() => treeScan(x, x, { ...tree, order: ids([0, 1, 4, 3]) }), /order\[0, 2\] is 4, out of range/);
      fails(
        () => treeScan(x, x, { ...tree, parent: ids([0, 0, 2, 1]) }),
        /parent\[0, 2\] is 2, expected a position before 2/,
      );
      fails(
        () => treeScan(x, x, { ...tree, parent: ids([1, 0, 0, 1]) }),
        /parent\[0, 0\] is 1, expected 0 for the root/,
      );
      fails(
        () => treeScan(x, x, tree, { aggregate: 'leaf' as Aggregate }),
        /aggregate is "leaf", expected one of root, all/,
      );
      fails(
        () =>
          treeScan(tf.zeros([1, 0, 2]), tf.zeros([1, 0, 2]), {
            order: tf.zeros([1, 0], 'int32'),
            parent: tf.zeros([1, 0], 'int32'),
          }),
        /V is 0, expected at least 1/,
      );
    }),
  );
  t.equal(leaked, 0);
});
