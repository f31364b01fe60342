/**
 * Tests spanning trees: exactly those of the backend `cpu`, in workgroup memory and in a buffer, with few and many
 * invocations.
 */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { boruvkaMST, gridGraph, randomSpanningTree, type ScanTree, type Tree } from '../../plugin/index.js';
import { type Graph, graphOf, largeGraphs, randomGraphs } from '../../testing/graphs.js';
import './index.js';
import { LANES_FLAG, runnerOf, WORKGROUP_BYTES_FLAG } from './runner.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';
import { planOf } from './tree_plan.js';

type Build = (weights: tf.Tensor, edges: tf.Tensor, options: { numVertices: number; root: number }) => Tree;

const drawn: Build = (weights, edges, options) => {
  const similarity = tf.abs(weights);
  const tree = randomSpanningTree(similarity, edges, { ...options, seed: 2 ** 31 + 5 });
  similarity.dispose();
  return tree;
};

/** Invocations and bytes of workgroup memory; if no tree fits, it is built in a buffer. */
const LIMITS = [
  [256, 32768],
  [32, 16384],
  [64, 0],
];

const backend = await startInNode();
if (!backend) t.test('spanning trees', { skip: NO_ADAPTER }, async () => {});
else runTests();

function runTests(): void {
  for (const [lanes, bytes] of LIMITS) {
    t.test(`random graphs of any kind, weights and roots: ${lanes} lanes, ${bytes} bytes`, async (t) => {
      tf.env().set(LANES_FLAG, lanes);
      tf.env().set(WORKGROUP_BYTES_FLAG, bytes);
      for (const [i, [what, graph]] of randomGraphs(bytes > 0 ? 12 : 6).entries()) {
        await checkGraph(t, what, graph);
        if (i % 2 === 0) await checkGraph(t, `${what}, a random tree`, graph, drawn);
      }
    });
    t.test(`graphs that are deep, wide or large: ${lanes} lanes, ${bytes} bytes`, async (t) => {
      tf.env().set(LANES_FLAG, lanes);
      tf.env().set(WORKGROUP_BYTES_FLAG, bytes);
      const most = process.env.GROOTVL_LONG ? Number.POSITIVE_INFINITY : 1500;
      for (const [what, graph] of largeGraphs(most)) await checkGraph(t, what, graph);
    });
  }

  t.test('a batch of 0', async (t) => {
    await checkGraph(t, 'no graphs', {
      weights: new Float32Array(0),
      batch: 0,
      edges: Int32Array.of(0, 1),
      numVertices: 2,
      root: 0,
    });
  });

  t.test('a random tree of similarities that only the device has', async (t) => {
    await tf.setBackend('webgpu');
    const similarity = tf.tidy(() => tf.reshape(tf.exp(tf.range(-6, 18)), [2, 12]));
    const tree = randomSpanningTree(similarity, gridGraph(3, 3), { numVertices: 9, seed: 3 });
    t.same([...(await tree.order.data())].sort().join(''), '001122334455667788');
    tree.dispose();
  });

  t.test('the plan of a tree goes with it', async (t) => {
    await tf.setBackend('webgpu');
    const [[, graph]] = randomGraphs(1);
    const [weights, edges] = graphOf(graph);
    const build = () => boruvkaMST(weights, edges, { numVertices: graph.numVertices }).dispose();
    build();
    await edges.data(); // submits
    const [{ numTensors }, { numBytesUsed }] = [tf.memory(), backendOf().bufferManager];
    for (let i = 0; i < 20; i++) build();
    await weights.data();
    t.equal(tf.memory().numTensors, numTensors);
    t.equal(backendOf().bufferManager.numBytesUsed, numBytesUsed);
    tf.dispose([weights, edges]);
  });
}

function backendOf() {
  if (!backend) throw new Error(NO_ADAPTER);
  return backend;
}

async function checkGraph(t: Test, what: string, graph: Graph, build: Build = boruvkaMST): Promise<void> {
  const { numVertices, root } = graph;
  const treeOf = async (name: string) => {
    await tf.setBackend(name);
    const [weights, edges] = graphOf(graph);
    const { edgeIndex, order, parent } = build(weights, edges, { numVertices, root });
    const tensors = [edgeIndex, order, parent];
    const values = await Promise.all(tensors.map((tensor) => tensor.data()));
    if (name === 'webgpu') await checkPlan(t, what, { order, parent }, values as Int32Array[]);
    tf.dispose([weights, edges, ...tensors]);
    return values.map((ids) => Buffer.from(ids.slice().buffer));
  };
  const [expected, found] = [await treeOf('cpu'), await treeOf('webgpu')];
  t.ok(
    expected.every((ids, i) => ids.equals(found[i])),
    what,
  );
}

/** Checks the plan that was made with the tree against the parents. */
async function checkPlan(
  t: Test,
  what: string,
  tree: ScanTree,
  [, orders, allParents]: readonly Int32Array[],
): Promise<void> {
  const [batch, numVertices] = tree.order.shape;
  if (batch === 0) return;
  const runner = runnerOf(backendOf());
  const found = new Int32Array(await backendOf().getBufferData(planOf(runner, tree)));
  const size = 4 * numVertices + 4;
  for (let b = 0; b < batch; b++) {
    const vertices = orders.subarray(b * numVertices, (b + 1) * numVertices);
    const parents = allParents.subarray(b * numVertices, (b + 1) * numVertices);
    const children: number[] = [];
    for (let i = 0, first = 1; i <= numVertices; i++) {
      while (first < numVertices && parents[first] < i) first++;
      children.push(first);
    }
    const starts: number[] = [];
    for (let start = 0; start < numVertices; start = children[start]) starts.push(start);
    const most = starts.map((start, level) => (starts[level + 2] ?? numVertices) - start);
    const parts = [
      [starts.length],
      [Math.max(...most)],
      [...starts, numVertices],
      children,
      parents,
      vertices,
    ];
    const firsts = [0, 1, 2, numVertices + 3, 2 * numVertices + 4, 3 * numVertices + 4];
    const plan = found.subarray(b * size, (b + 1) * size);
    const wrong = parts.flatMap((part, k) =>
      [...part].flatMap((value, i) => (plan[firsts[k] + i] === value ? [] : [firsts[k] + i])),
    );
    if (wrong.length > 0) t.fail(`${what}: the plan differs at ${wrong.slice(0, 8)}`);
  }
}
