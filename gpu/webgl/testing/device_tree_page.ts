/** Tests trees built in shaders, in a page: exactly those of the host kernel. */
import * as tf from '@tensorflow/tfjs-core';
import type { ConformanceCase, OpCase } from '../../../conformance/case.js';
import { loadCases } from '../../../conformance/cases/load.js';
import { runConformance } from '../../../conformance/run.js';
import { memorySource } from '../../../conformance/source.js';
import { specCases } from '../../../conformance/spec_cases.js';
import { tfjsBackend } from '../../../conformance/tfjs_backend.js';
import { boruvkaMST, gridGraph } from '../../../plugin/index.js';
import { boruvkaMSTSpec } from '../../../plugin/ops/boruvka_mst.spec.js';
import { connectedGraph, shuffledTree, TREE_SHAPES } from '../../../plugin/ops/spec/graphs.js';
import { Random } from '../../../plugin/ops/spec/random.js';
import { getTreeBuilder, setTreeBuilder, type TreeBuilder } from '../index.js';
import { countGpuWork } from './measure.js';
import { fetchBytes, fixtureNames, type PageTest, pageTest, quickPageTest } from './page_test.js';
import { onGpu, sameTrees, valuesOf, withBuilder } from './tree_builders.js';

/** Runs trees of conformance cases: they must equal those of the oracles and of the files. */
async function runCases(t: PageTest, from: string, cases: readonly ConformanceCase[]): Promise<void> {
  const trees = cases.filter(
    (each): each is OpCase => each.kind === 'op' && each.op === boruvkaMSTSpec.op.name,
  );
  const backend = tfjsBackend({ name: 'webgl', tfjs: 'webgl' });
  const report = await withBuilder('device', () =>
    runConformance({ backends: [backend], cases: trees, environment: {} }),
  );
  t.ok(report.cases.length > 0, `${from}: ${report.cases.length} cases`);
  for (const { case: name, verdict, reason } of report.cases) {
    t.equal(verdict, 'pass', `${from}: ${name} ${verdict === 'pass' ? '' : reason}`);
  }
}

/** For larger grids and longer sequences the host's kernel, which is also exact, is the reference below. */
const TREES = /\/mst_(graph200|grid1x|grid5x9|grid7x7|ties)|grootl\/op\/case(12|18)/;

quickPageTest('spanning trees of the fixtures', async (t) => {
  const files = new Map<string, Uint8Array>();
  for (const name of await fixtureNames(TREES)) {
    files.set(name, new Uint8Array(await fetchBytes(name)));
  }
  await runCases(t, 'fixtures', await loadCases(memorySource(files)));
});

quickPageTest('generated cases of the conformance suite', async (t) => {
  await runCases(t, 'seed 1', specCases(boruvkaMSTSpec, 1));
});

pageTest('shapes of trees and graphs, any root, ties, batches', async (t) => {
  const random = new Random(7);
  for (const shape of Object.keys(TREE_SHAPES)) {
    for (const numVertices of [64, 65, 300]) {
      const { order, parent } = shuffledTree(shape, numVertices, random);
      const pairs = Array.from(order.subarray(1)).flatMap((v, i) => [order[parent[i + 1]], v]);
      const edges = tf.tensor2d(pairs, [numVertices - 1, 2], 'int32');
      // If weights ascend along a path, every component joins the same one, which gives long climbs.
      for (const weights of [onGpu([2, numVertices - 1]), tf.range(0, numVertices - 1).expandDims()]) {
        const root = random.integer(0, numVertices - 1);
        await sameTrees(t, `${shape} ${numVertices} from ${root}`, weights, edges, { numVertices, root });
        weights.dispose();
      }
      edges.dispose();
    }
  }
  for (const [numVertices, more, values] of [
    [2, 5, 2],
    [50, 1000, 3],
    [300, 300, 1],
    [1025, 5000, 7],
  ]) {
    const pairs = connectedGraph(numVertices, more, random);
    const edges = tf.tensor2d(pairs, [pairs.length / 2, 2], 'int32');
    const weights = tf.tidy(() => tf.floor(tf.mul(onGpu([3, pairs.length / 2]), values)));
    const root = random.integer(0, numVertices - 1);
    await sameTrees(t, `graph ${numVertices}, ${values} weights`, weights, edges, { numVertices, root });
    tf.dispose([weights, edges]);
  }
  for (const [batch, height, width] of [
    [1, 56, 56],
    [8, 14, 14],
    [3, 7, 91],
    [1, 91, 91], // lists of more than 8193 vertices are ranked in three levels
  ]) {
    const edges = gridGraph(height, width);
    const numVertices = height * width;
    const distinct = onGpu([batch, edges.shape[0]], -1);
    await sameTrees(t, `grid ${[batch, height, width]}`, distinct, edges, { numVertices });
    if (numVertices < 8193) {
      const equal = tf.zerosLike(distinct);
      await sameTrees(t, `grid ${[batch, height, width]}, equal weights`, equal, edges, { numVertices });
      equal.dispose();
    }
    tf.dispose([edges, distinct]);
  }
});

pageTest('weights that are slices, packed, or small', async (t) => {
  const edges = gridGraph(3, 3);
  const many = onGpu([4, 12]);
  const slice = tf.slice(many, [1, 0], [2, 12]);
  const packed = tf.concat([slice, slice], 0);
  const small = tf.tensor2d([[2, 1, 3, 0]]);
  await sameTrees(t, 'a slice', slice, edges, { numVertices: 9 });
  await sameTrees(t, 'packed', packed, edges, { numVertices: 9 });
  const square = gridGraph(2, 2);
  await sameTrees(t, 'four weights on the host', small, square, { numVertices: 4 });
  tf.dispose([edges, many, slice, packed, small, square]);
});

pageTest("where tfjs's shaders take shapes as uniforms", async (t) => {
  const shapes = 'WEBGL_USE_SHAPES_UNIFORMS';
  const [before, forward] = [tf.env().getBool(shapes), tf.env().getBool('WEBGL_CPU_FORWARD')];
  tf.env().set('WEBGL_CPU_FORWARD', false);
  tf.env().set(shapes, true);
  const edges = gridGraph(3, 3);
  const plain = tf.tensor2d([...Array(16).keys()], [2, 8], 'int32');
  // Compiles a program that reads tfjs's own tensor [2, 8], specialised to the size of its texture.
  const same = tf.gather(plain, tf.tensor1d([0, 1], 'int32'));
  t.equal(String(same.dataSync()), String([...Array(16).keys()]), 'a tensor of tfjs');
  await sameTrees(t, 'a tree', onGpu([2, 12]), edges, { numVertices: 9 });
  tf.dispose([edges, plain, same]);
  tf.env().set(shapes, before);
  tf.env().set('WEBGL_CPU_FORWARD', forward);
});

pageTest('one vertex, errors, and an option that is checked', async (t) => {
  await withBuilder('device', async () => {
    const tree = boruvkaMST(tf.zeros([2, 0]), tf.zeros([0, 2], 'int32'), { numVertices: 1 });
    t.equal(JSON.stringify(valuesOf(tree)), '[[],[0,0],[0,0]]', 'V = 1');
    const edges = tf.tensor2d([0, 1, 3, 4], [2, 2], 'int32');
    const { counts } = await countGpuWork(() =>
      t.throws(
        () => boruvkaMST(onGpu([1, 2]), edges, { numVertices: 5 }),
        /\w+: the graph has 3 components/,
        'a disconnected graph',
      ),
    );
    t.equal(counts.readBacks, 0, 'read-backs before the error');
  });
  t.equal(getTreeBuilder(), 'host', 'the default');
  await t.throws(
    () => setTreeBuilder('gpu' as TreeBuilder),
    /the builder is "gpu", expected 'host' or 'device'/,
    'another builder',
  );
});
