/**
 * BoruvkaMST: the minimum spanning tree of a weighted graph and a breadth-first order of it (GrootVL, section 3.2;
 * O. Boruvka, "O jistem problemu minimalnim", 1926).
 */
import type { Tensor, Tensor2D, TensorInfo } from '@tensorflow/tfjs-core';
import { checkConnected, countVertices, trustTree } from './graph_checks.js';
import { runOp } from './kernels.js';
import { checkEqual, defineOp, OpError, showShape } from './op.js';

/** A spanning tree of every graph of a batch, as {@link boruvkaMST} returns it. All three tensors are int32. */
export interface Tree {
  /** [B, V-1]: the chosen rows of `edges`, ascending. */
  readonly edgeIndex: Tensor2D;
  /** [B, V]: vertex ids in breadth-first order from the root; the neighbours of a vertex in ascending id. */
  readonly order: Tensor2D;
  /** [B, V]: position in `order` of the parent of vertex `order[b, i]`. parent[b, i] < i, and parent[b, 0] = 0. */
  readonly parent: Tensor2D;
  /** Disposes the three tensors. */
  dispose(): void;
}

export const BoruvkaMST = defineOp({
  name: 'BoruvkaMST',
  doc:
    'Minimum spanning tree by the total order (weight, edge index): unique, and exactly the same on every backend. ' +
    '-0 equals +0, NaN comes after +Infinity.',
  inputs: {
    weights: { dtype: 'float32', shape: ['B', 'E'], doc: 'weight of every edge' },
    edges: { dtype: 'int32', shape: ['E', '2'], doc: 'vertex ids of the two ends of every edge' },
  },
  attributes: {
    numVertices: { graphName: 'num_vertices', doc: 'V; a GraphModel node without it takes V from the edges' },
    root: { graphName: 'root', default: 0, doc: 'vertex from which the breadth-first order starts' },
  },
  outputs: ['edgeIndex', 'order', 'parent'],
  infer: ({ weights, edges }, { numVertices, root }) => {
    if (edges[1] !== 2) throw new OpError('BoruvkaMST', `edges has shape ${showShape(edges)}, wanted [E, 2]`);
    checkEqual('BoruvkaMST', 'the number of weights and of edges', weights[1], edges[0]);
    if (!Number.isInteger(numVertices) || (numVertices as number) < 1) {
      throw new OpError('BoruvkaMST', `numVertices is ${numVertices}, wanted an integer of at least 1`);
    }
    const vertexCount = numVertices as number;
    if (!Number.isInteger(root) || (root as number) < 0 || (root as number) >= vertexCount) {
      throw new OpError('BoruvkaMST', `root is ${root}, wanted a vertex id from 0 to ${vertexCount - 1}`);
    }
    const batch = weights[0];
    return [
      { shape: [batch, vertexCount - 1], dtype: 'int32' },
      { shape: [batch, vertexCount], dtype: 'int32' },
      { shape: [batch, vertexCount], dtype: 'int32' },
    ];
  },
  validate: ({ edges }: Readonly<Record<string, TensorInfo>>, { numVertices }, read) =>
    checkConnected('BoruvkaMST', edges, numVertices as number, read),
  produced: ([, order, parent], { root }) => trustTree(order, parent, root as number),
  graphDefaults: ({ edges }, read) => ({ numVertices: countVertices('BoruvkaMST', edges, read) }),
});

/**
 * The minimum spanning tree of each graph of a batch, by Boruvka's algorithm.
 *
 * @param weights [B, E] float32.
 * @param edges [E, 2] int32 vertex ids; parallel edges and loops are allowed.
 * @param options.numVertices V, at least 1.
 * @param options.root vertex from which the tree is ordered, 0 by default.
 * @throws {OpError} on wrong ranks, dtypes or sizes, vertex ids out of range, or a graph that is not connected.
 */
export function boruvkaMST(
  weights: Tensor,
  edges: Tensor,
  options: { numVertices: number; root?: number },
): Tree {
  const { numVertices, root } = options;
  const [edgeIndex, order, parent] = runOp(
    BoruvkaMST,
    { weights, edges },
    { numVertices, root },
  ) as Tensor2D[];
  return {
    edgeIndex,
    order,
    parent,
    dispose: () => {
      edgeIndex.dispose();
      order.dispose();
      parent.dispose();
    },
  };
}
