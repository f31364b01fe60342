/** Spanning trees: exactly those of the backend `cpu`, on both paths. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { boruvkaMST, gridGraph, windowGraph } from '../../plugin/index.js';
import type { CudaBackend } from './backend/index.js';
import { KernelCall } from './backend/kernels.js';
import { checkResources, compare, random } from './testing/compare_trees.js';
import './index.js';
import { startCuda } from './backend/testing/cuda_backend.js';
import { spanningTrees } from './spanning_tree.js';

await startCuda();

/** NaN of either sign is one and the same. */
const SPECIAL_BITS = [
  0, 0x80000000, 0x3f800000, 0xbf800000, 1, 0x80000001, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
];

/** A connected graph: a random tree, and further edges, among them loops and parallel ones. */
function randomGraph(numVertices: number, extra: number, pick: (below: number) => number): number[][] {
  const edges = Array.from({ length: numVertices - 1 }, (_, i) => [pick(i + 1), i + 1]);
  for (let i = 0; i < extra; i++) edges.push([pick(numVertices), pick(numVertices)]);
  for (let i = edges.length - 1; i > 0; i--) {
    const j = pick(i + 1);
    [edges[i], edges[j]] = [edges[j], edges[i]];
  }
  return edges;
}

function picker(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Graph {
  readonly weights: Float32Array;
  readonly batch: number;
  readonly edges: Int32Array;
  readonly numVertices: number;
  readonly root: number;
}

function graphOf({ weights, batch, edges }: Graph): [tf.Tensor2D, tf.Tensor2D] {
  const numEdges = edges.length / 2;
  return [tf.tensor2d(weights, [batch, numEdges]), tf.tensor2d(edges, [numEdges, 2], 'int32')];
}

/** The trees of `cpu`, those of the op, and those of the path of many launches, whatever the size. */
async function checkGraph(t: Test, what: string, graph: Graph): Promise<void> {
  const { numVertices, root, batch } = graph;
  await compare(t, what, 0, () => {
    const { edgeIndex, order, parent } = boruvkaMST(...graphOf(graph), { numVertices, root });
    return [edgeIndex, order, parent];
  });
  await compare(t, `${what}, many launches`, 0, () => {
    const [weights, edges] = graphOf(graph);
    if (tf.getBackend() === 'cpu') {
      const { edgeIndex, order, parent } = boruvkaMST(weights, edges, { numVertices, root });
      return [edgeIndex, order, parent];
    }
    const call = new KernelCall(tf.backend() as CudaBackend, 'trees');
    const [edgeIndex, order, parent] = [numVertices - 1, numVertices, numVertices].map((extent) =>
      call.output([batch, extent], 'int32'),
    );
    const given = { weights: call.input(weights), edges: call.input(edges), edgeIndex, order, parent };
    spanningTrees(call, given, { batch, numVertices, numEdges: edges.shape[0], root }, 0);
    const results = [edgeIndex, order, parent];
    call.end(results);
    return results.map((result) => tf.engine().makeTensorFromTensorInfo(result));
  });
}

t.test('random graphs of any kind, weights and roots', async (t) => {
  const cases = fc.record({
    numVertices: fc.integer({ min: 1, max: 40 }),
    extra: fc.integer({ min: 0, max: 40 }),
    batch: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    special: fc.boolean(),
    levels: fc.constantFrom(1, 3, 1000),
  });
  for (const { numVertices, extra, batch, seed, special, levels } of fc.sample(cases, {
    numRuns: 20,
    seed: 1,
  })) {
    const pick = picker(seed);
    const edges = Int32Array.from(randomGraph(numVertices, extra, pick).flat());
    const weights = new Float32Array((batch * edges.length) / 2);
    const bits = new Uint32Array(weights.buffer);
    for (let e = 0; e < weights.length; e++) {
      if (special) bits[e] = SPECIAL_BITS[pick(SPECIAL_BITS.length)];
      else weights[e] = pick(levels) - levels / 2;
    }
    const graph = { weights, batch, edges, numVertices, root: pick(numVertices) };
    await checkGraph(t, JSON.stringify({ numVertices, extra, batch, seed, special, levels }), graph);
  }
});

const GRAPHS: readonly (readonly [string, number, () => number[][]])[] = [
  ['a path', 3136, () => Array.from({ length: 3135 }, (_, i) => [i, i + 1])],
  ['a star', 1500, () => Array.from({ length: 1499 }, (_, i) => [1499, i])],
  ['a caterpillar', 2001, () => Array.from({ length: 2000 }, (_, i) => [i - (i % 2), i + 1])],
  ['a window graph', 300, () => tf.tidy(() => windowGraph(300, { promptLength: 200 }).arraySync())],
  ['a grid of 56 x 56', 3136, () => tf.tidy(() => gridGraph(56, 56).arraySync())],
  ['any graph', 2500, () => randomGraph(2500, 4000, picker(5))],
];

t.test('shapes that are deep, wide or large', async (t) => {
  for (const [what, numVertices, make] of GRAPHS) {
    const edges = Int32Array.from(make().flat());
    // Ascending weights make Boruvka's components chains.
    for (const kind of ['random', 'ascending', 'equal']) {
      const pick = picker(3);
      const weights = Float32Array.from({ length: edges.length / 2 }, (_, i) =>
        kind === 'random' ? pick(1 << 20) : kind === 'ascending' ? i : 0,
      );
      await checkGraph(t, `${what}, ${kind}`, {
        weights,
        batch: 1,
        edges,
        numVertices,
        root: numVertices >> 1,
      });
    }
  }
});

t.test('grids that no shared memory holds', async (t) => {
  for (const [side, batch] of [
    [128, 2],
    [300, 1],
  ]) {
    await compare(t, `${side} x ${side}`, 0, () => {
      const edges = gridGraph(side, side);
      const weights = random([batch, edges.shape[0]], side) as tf.Tensor2D;
      const { edgeIndex, order, parent } = boruvkaMST(weights, edges, { numVertices: side * side });
      return [edgeIndex, order, parent];
    });
  }
});

t.test('batches, without reading back', async (t) => {
  await tf.setBackend('cuda');
  const edges = tf.keep(gridGraph(7, 9));
  await compare(t, 'a batch of 0', 0, () => {
    const { edgeIndex, order, parent } = boruvkaMST(tf.zeros([0, 110]), gridGraph(7, 9), { numVertices: 63 });
    return [edgeIndex, order, parent];
  });
  await checkResources(t, () => {
    tf.tidy(() => {
      const weights = tf.keep(random([5, edges.shape[0]], 1) as tf.Tensor2D);
      boruvkaMST(weights, edges, { numVertices: 63 }).dispose();
      weights.dispose();
    });
  });
  edges.dispose();
});
