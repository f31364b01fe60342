/**
 * RandomSpanningTree: a spanning tree that prefers edges of large similarity. Filters along trees are trained with one
 * (LearnableTreeFilterV2, NeurIPS 2020), so that their gradients reach more than the edges of the minimum tree.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { edgesInput, type Tree, treeAttributes, treeOf, treeOutputs } from './boruvka_mst.js';
import { defineOp } from './declare.js';
import { checkConnected, countVertices, trustTree } from './graph_checks.js';
import { runOp } from './kernels.js';

export const RandomSpanningTree = defineOp({
  name: 'RandomSpanningTree',
  doc:
    'A random spanning tree by the published procedure: Boruvka with draws. It neither draws uniformly nor in proportion ' +
    'to the product of similarities: later edges are preferred. Draws follow from the seed, so that a seed gives one ' +
    'tree, the same everywhere. The similarities are read on the host of backends without a kernel.',
  inputs: {
    similarity: {
      dtype: 'float32',
      shape: ['B', 'E'],
      doc: 'of every edge, at least 0; larger means more alike',
    },
    edges: edgesInput,
  },
  attributes: {
    ...treeAttributes,
    seed: { type: 'integer', graphName: 'seed', default: 0, doc: 'of the draws; the lower 32 bits count' },
  },
  outputs: treeOutputs,
  reads: ['similarity', 'edges'],
  validate: ({ edges }, { numVertices }, read) =>
    checkConnected('RandomSpanningTree', edges, numVertices, read),
  produced: ([, order, parent], { root }) => trustTree(order, parent, root),
  graphDefaults: ({ edges }, read) => ({ numVertices: countVertices('RandomSpanningTree', edges, read) }),
});

/**
 * A random spanning tree of each graph of a batch, by the procedure that LearnableTreeFilterV2 publishes: in every round of
 * Boruvka's algorithm each component goes through its edges by index and replaces its choice a by the edge b with
 * probability b / (a + b), of their similarities. That is no uniform draw: later edges are preferred. The draws follow
 * from the seed, the position in the batch, the round and the edge: a seed gives one tree, the same on every backend.
 *
 * No gradient flows to the similarities. They are read on the host of backends without a kernel for it: where that reads
 * asynchronously only, `await readForChecks(similarity)` comes before.
 *
 * @param similarity [B, E] float32, at least 0; larger means more alike.
 * @param edges [E, 2] int32 vertex ids; parallel edges and loops are allowed.
 * @param options.numVertices V, at least 1.
 * @param options.root vertex from which the tree is ordered, 0 by default.
 * @param options.seed any integer, 0 by default; the lower 32 bits count.
 * @returns edgeIndex [B, V-1], order and parent [B, V], all int32, as {@link boruvkaMST} gives them.
 * @throws {OpError} on wrong ranks, dtypes or sizes, vertex ids out of range, or a graph that is not connected.
 */
export function randomSpanningTree(
  similarity: Tensor,
  edges: Tensor,
  options: { numVertices: number; root?: number; seed?: number },
): Tree {
  const { numVertices, root, seed } = options ?? {}; // the check of attributes says that numVertices is missing
  return treeOf(runOp(RandomSpanningTree, { similarity, edges }, { numVertices, root, seed }));
}
