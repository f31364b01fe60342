/** Tests spanning trees: exactly those of the backend `cpu`, on both paths. */
import * as tf from '@tensorflow/tfjs';
import t, { type Test } from 'tap';
import { boruvkaMST, gridGraph } from '../../plugin/index.js';
import { type Graph, graphOf, largeGraphs, randomGraphs } from '../../testing/graphs.js';
import { random } from '../../testing/tree_scans.js';
import type { CudaBackend } from './backend/index.js';
import { KernelCall } from './backend/kernels.js';
import { checkResources, compare } from './testing/compare_trees.js';
import './index.js';
import { startCuda } from './backend/testing/cuda_backend.js';
import { spanningTrees } from './spanning_tree.js';

await startCuda();

/** Compares the trees of `cpu`, those of the op, and those of the path with many launches, whatever the size. */
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
    const call = new KernelCall(tf.backend() as CudaBackend);
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
  for (const [what, graph] of randomGraphs(20)) await checkGraph(t, what, graph);
});

t.test('shapes that are deep, wide or large', async (t) => {
  for (const [what, graph] of largeGraphs()) await checkGraph(t, what, graph);
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
