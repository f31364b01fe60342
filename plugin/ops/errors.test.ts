/** Tests the errors of ops: one line that says what was given and what is expected, before any kernel runs. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import {
  type Aggregate,
  atParent,
  boruvkaMST,
  bottleneckFilter,
  discretize,
  edgeDissimilarity,
  gelu,
  gridGraph,
  layerNormalization,
  linear,
  type Metric,
  type PathDirection,
  parentDissimilarity,
  parentVertices,
  pathTree,
  randomSpanningTree,
  type SelectiveLayerInputs,
  selectiveLayer,
  selectiveSplit,
  stateReadout,
  type Tree,
  treeScan,
  UnflattenGrid,
} from '../index.js';
import { runOp } from './kernels.js';

t.test('pathTree', async (t) => {
  const fails = (run: () => unknown, message: RegExp) => t.throws(run, { name: 'OpError', message });
  fails(() => pathTree(0, 3), /^PathTree: height is 0, expected an integer of at least 1/);
  fails(() => pathTree(2, 1.5), /width is 1.5/);
  fails(() => pathTree(2, 3, { batch: -1 }), /batch is -1, expected an integer of at least 0/);
  fails(
    () => pathTree(2, 3, { direction: 'zigzag' as PathDirection }),
    /direction is "zigzag", expected one of row, snake, column/,
  );
});

t.test('bottleneckFilter, parentVertices and randomSpanningTree', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { name: 'OpError', message });
      const tree = pathTree(1, 3);
      const x = tf.ones([1, 3, 2]);
      fails(
        () => bottleneckFilter(x, tf.ones([1, 2]), tree, { zeta: 1 }),
        /^BottleneckFilter: distance has shape \[1, 2\], expected \[B, V\] = \[1, 3\]/,
      );
      for (const zeta of [0, -1, Number.NaN]) {
        fails(
          () => bottleneckFilter(x, tf.ones([1, 3]), tree, { zeta }),
          /zeta is .*, expected a finite number/,
        );
      }
      const noTree = { order: tree.order, parent: tree.order };
      fails(
        () => bottleneckFilter(x, tf.ones([1, 3]), noTree, { zeta: 1 }),
        /^BottleneckFilter: parent\[0, 1\] is 1/,
      );
      fails(
        () => parentVertices(noTree),
        /^ParentVertices: parent\[0, 1\] is 1, expected a position before 1/,
      );
      fails(
        () => atParent(x, pathTree(1, 2)),
        /^AtParent: order has shape \[1, 2\], expected \[B, V\] = \[1, 3\]/,
      );
      fails(() => atParent(x, undefined as unknown as Tree), /^AtParent: order is missing/);
      const similarity = tf.ones([1, 2]);
      fails(
        () => randomSpanningTree(similarity, gridGraph(1, 3), { numVertices: 4 }),
        /^RandomSpanningTree: the graph has 2 components/,
      );
      fails(
        () => randomSpanningTree(similarity, gridGraph(1, 3), { numVertices: 3, seed: 0.5 }),
        /seed is 0.5, expected an integer/,
      );
    }),
  );
  t.equal(leaked, 0);
});

t.test('boruvkaMST', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const edges = tf.tensor2d([0, 1, 1, 2], [2, 2], 'int32');
      const weights = tf.zeros([1, 2]);
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => boruvkaMST(tf.zeros([2]), edges, { numVertices: 3 }),
        /^\w+: weights has shape \[2\], expected float32 weights\[B, E\]/,
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
        /^\w+: numVertices is undefined, expected an integer of at least 1/,
      );
      fails(() => boruvkaMST(weights, edges, { numVertices: 2.5 }), /numVertices is 2.5/);
      fails(
        () => boruvkaMST(weights, edges, { numVertices: 2 }),
        /edges\[1\] joins the vertices 1 and 2, expected vertex ids from 0 to 1/,
      );
      fails(() => boruvkaMST(weights, edges, { numVertices: 5 }), /3 components/);
      const far = tf.tensor2d([0, 2 ** 30 - 1], [1, 2], 'int32');
      fails(() => boruvkaMST(tf.zeros([1, 1]), far, { numVertices: 2 ** 30 }), /1073741823 components/);
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

t.test('edgeDissimilarity', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const edges = gridGraph(2, 2);
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(() => edgeDissimilarity(tf.zeros([4, 2]), edges), /^\w+: features has shape \[4, 2\]/);
      fails(
        () => edgeDissimilarity(tf.zeros([1, 3, 2]), edges),
        /edges\[1\] joins the vertices 1 and 3, expected vertex ids from 0 to 2/,
      );
      fails(() => edgeDissimilarity(tf.zeros([1, 4, 2], 'int32'), edges), /features has dtype int32/);
      fails(
        () => edgeDissimilarity(tf.zeros([1, 4, 2]), tf.zeros([4, 3], 'int32')),
        /edges has shape \[4, 3\]/,
      );
      fails(
        () => edgeDissimilarity(tf.zeros([1, 4, 2]), edges, { metric: 'l7' as Metric }),
        /metric is "l7", expected one of cosine/,
      );
    }),
  );
  t.equal(leaked, 0);
});

t.test('parentDissimilarity', async (t) => {
  await onBackend('cpu', () =>
    tf.tidy(() => {
      const features = tf.zeros([1, 2, 6]);
      const [order, parent] = [tf.tensor2d([[1, 0]], [1, 2], 'int32'), tf.zeros([1, 2], 'int32')];
      const tree = { order, parent } as Tree;
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => parentDissimilarity(features, tree, { groups: 4 }),
        /features\[B, V, C\] has shape \[1, 2, 6\]: P = C\/G is 1.5, expected an integer/,
      );
      fails(
        () => parentDissimilarity(features, tree, { groups: 0 }),
        /groups is 0, expected an integer of at least 1/,
      );
      fails(
        () => parentDissimilarity(features, tree, { metric: 'l2' as Metric }),
        /metric is "l2", expected one of/,
      );
      fails(
        () => parentDissimilarity(tf.zeros([1, 3, 6]), tree),
        /order has shape \[1, 2\], expected \[B, V\] = \[1, 3\]/,
      );
      fails(
        () => parentDissimilarity(features, { order: parent, parent } as Tree),
        /order\[0, 1\] is 0, a second time/,
      );
    }),
  );
});

t.test('treeScan', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const x = tf.zeros([1, 4, 2]);
      const ids = (values: number[]) => tf.tensor2d(values, [1, 4], 'int32');
      const tree = { order: ids([0, 1, 2, 3]), parent: ids([0, 0, 1, 2]) };
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => treeScan(tf.zeros([4, 2]), x, tree),
        /^\w+: x has shape \[4, 2\], expected float32 x\[B, V, D\]/,
      );
      fails(
        () => treeScan(x, tf.zeros([1, 4, 3]), tree),
        /x\[B, V, D\] has shape \[1, 4, 2\], decay\[B, V, G\] has shape \[1, 4, 3\]: P = D\/G is 0.6667, expected an integer/,
      );
      fails(() => treeScan(x, tf.zeros([1, 4, 0]), tree), /P = D\/G is Infinity, expected an integer/);
      fails(
        () => treeScan(tf.zeros([1, 4, 4097]), tf.zeros([1, 4, 2]), tree),
        /P = D\/G is 2048.5, expected an integer/,
      );
      fails(
        () => treeScan(tf.zeros([2, 4, 2]), tf.zeros([2, 4, 2]), tree),
        /order has shape \[1, 4\], expected \[B, V\] = \[2, 4\]/,
      );
      fails(
        () => treeScan(x, x, undefined as unknown as Tree),
        /^\w+: order is missing, expected int32 order/,
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

t.test('fused ops', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const x = tf.zeros([2, 3, 4]);
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => layerNormalization(x, tf.zeros([3]), tf.zeros([4])),
        /^\w+: gamma has shape \[3\], expected \[C\] = \[4\]/,
      );
      fails(
        () => layerNormalization(tf.scalar(1), tf.zeros([1]), tf.zeros([1])),
        /x has shape \[\], expected float32 x\[\.\.\., C\]/,
      );
      fails(() => gelu(tf.zeros([2], 'int32')), /^\w+: x has dtype int32, expected float32/);
      fails(
        () => linear(x, tf.zeros([3, 5])),
        /^\w+: weights has shape \[3, 5\], expected \[I, O\] = \[4, 5\]/,
      );
      fails(() => linear(x, tf.zeros([4, 5]), tf.zeros([4])), /bias has shape \[4\], expected \[O\] = \[5\]/);
      fails(
        () => linear(x, tf.zeros([4, 5]), undefined, { activation: 'relu' as 'gelu' }),
        /activation is "relu", expected one of none, gelu, silu/,
      );
      fails(
        () => linear(x, tf.zeros([4, 5]), undefined, { firstOutput: 2, endOutput: 6 }),
        /^\w+: endOutput is 6, expected an integer from -1 to 5/,
      );
      fails(
        () => discretize(x, tf.zeros([4]), tf.zeros([4, 1]), tf.zeros([2, 3, 2]), x),
        /^\w+: inputGate has shape \[2, 3, 2\], expected \[B, V, N\] = \[2, 3, 1\]/,
      );
      fails(
        () => selectiveSplit(x, { states: 2 }),
        /^\w+: selected\[B, V, P\] has shape \[2, 3, 4\]: R = P-2N is 0, expected at least 1/,
      );
      fails(() => selectiveSplit(x, { states: 0.5 }), /states is 0.5, expected an integer of at least 1/);
      const four = tf.zeros([4]);
      const readout = { state: x, x, gate: x, skip: four, stateGamma: four, stateBeta: four };
      fails(
        () => stateReadout({ ...readout, outputGate: x, outputGamma: four, outputBeta: four }),
        /^\w+: outputGate has shape \[2, 3, 4\], expected \[B, V, 1\] = \[2, 3, 1\]/,
      );
      fails(
        () => runOp(UnflattenGrid, { x, like: tf.zeros([2, 2, 2, 1]) }),
        /^\w+: x has shape \[2, 3, 4\], expected \[N, H\*W, C\] = \[2, 4, 4\]/,
      );
    }),
  );
  t.equal(leaked, 0);
});

t.test('selectiveLayer', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const layer: SelectiveLayerInputs = {
        x: tf.zeros([1, 1, 4]),
        state: tf.zeros([1, 6, 2]),
        past: tf.zeros([1, 2, 6]),
        gamma: tf.zeros([4]),
        inputProjection: tf.zeros([4, 12]),
        inputBias: tf.zeros([12]),
        filter: tf.zeros([3, 6]),
        filterBias: tf.zeros([6]),
        selection: tf.zeros([6, 5]),
        stepProjection: tf.zeros([1, 6]),
        stepBias: tf.zeros([6]),
        logA: tf.zeros([6, 2]),
        skip: tf.zeros([6]),
        outputProjection: tf.zeros([6, 4]),
        outputBias: tf.zeros([4]),
      };
      const wrong = (change: Partial<SelectiveLayerInputs>, message: RegExp) =>
        t.throws(() => selectiveLayer({ ...layer, ...change }), { name: 'OpError', message });
      wrong(
        { past: tf.zeros([1, 3, 6]) },
        /^\w+: past has shape \[1, 3, 6\], expected \[B, K-1, D\] = \[1, 2, 6\]/,
      );
      wrong(
        { inputProjection: tf.zeros([4, 6]) },
        /inputProjection has shape .* expected \[H, 2D\] = \[4, 12\]/,
      );
      wrong(
        { state: tf.zeros([2, 6, 2]) },
        /state has shape \[2, 6, 2\], expected \[B, D, N\] = \[1, 6, 2\]/,
      );
      wrong(
        { selection: tf.zeros([6, 4]) },
        /selection has shape \[6, 4\], expected \[D, R\+2N\] = \[6, 5\]/,
      );
      wrong({ outputBias: tf.zeros([3]) }, /outputBias has shape \[3\], expected \[H\] = \[4\]/);
      wrong({ gamma: tf.zeros([4], 'int32') }, /gamma has dtype int32/);
      wrong({ x: tf.zeros([1, 0, 4]) }, /x\[B, L, H\] has shape \[1, 0, 4\]: L is 0, expected at least 1/);
    }),
  );
  t.equal(leaked, 0);
});
