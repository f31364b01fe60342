/**
 * RandomSpanningTree: a random spanning tree that prefers edges of large similarity. Tree filters are trained with it
 * (LearnableTreeFilterV2, NeurIPS 2020), so that gradients reach more than the edges of the minimum spanning tree.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { edgesInput, type Tree, treeAttributes, treeOf, treeOutputs } from './boruvka_mst.js';
import { defineOp, float32 } from './declare.js';
import { checkConnected, countVertices, trustTree } from './graph_checks.js';
import { runOp } from './kernels.js';

export const RandomSpanningTree = defineOp({
  name: 'RandomSpanningTree',
  doc:
    'A random spanning tree by the published procedure: Boruvka with random choices. The distribution is neither ' +
    'uniform nor proportional to the product of similarities: later edges are preferred. A seed gives the same tree on ' +
    'every backend. The similarities are read on the host on backends without a kernel.',
  inputs: {
    similarity: float32(['B', 'E'], 'similarity of each edge, at least 0; larger means more alike'),
    edges: edgesInput,
  },
  attributes: {
    ...treeAttributes,
    seed: { type: 'integer', default: 0, doc: 'seed of the draws; only the lower 32 bits are used' },
  },
  outputs: treeOutputs,
  reads: ['similarity', 'edges'],
  validate: ({ edges }, { numVertices }, read) =>
    checkConnected('RandomSpanningTree', edges, numVertices, read),
  produced: ([, order, parent], { root }) => trustTree(order, parent, root),
  graphDefaults: ({ edges }, read) => ({ numVertices: countVertices('RandomSpanningTree', edges, read) }),
});

/**
 * Draws a random spanning tree of each graph in a batch by the procedure that LearnableTreeFilterV2 publishes: in every
 * round of Boruvka's algorithm each component goes through its edges by index and replaces its choice a by the edge b with
 * probability b / (a + b), where a and b stand for their similarities. The draw is not uniform: later edges are preferred.
 * It depends on the seed, the position in the batch, the round and the edge: a seed gives the same tree on every backend.
 *
 * No gradient flows to the similarities. They are read on the host on backends without a kernel for the op; where that is
 * only possible asynchronously, call `await readForChecks(similarity)` first.
 *
 * @param similarity [B, E] float32, at least 0; larger means more alike.
 * @param edges [E, 2] int32 vertex ids; parallel edges and self-loops are allowed.
 * @param options.numVertices V, at least 1.
 * @param options.root vertex at which the breadth-first order starts, 0 by default.
 * @param options.seed any integer, 0 by default; only the lower 32 bits are used.
 * @returns edgeIndex [B, V-1], order and parent [B, V], all int32, as from {@link boruvkaMST}.
 * @throws {OpError} if a rank, dtype or size is wrong, a vertex id is out of range, or the graph is not connected.
 */
export function randomSpanningTree(
  similarity: Tensor,
  edges: Tensor,
  options: { numVertices: number; root?: number; seed?: number },
): Tree {
  const { numVertices, root, seed } = options ?? {}; // if numVertices is missing, the attribute check reports it
  return treeOf(runOp(RandomSpanningTree, { similarity, edges }, { numVertices, root, seed }));
}
