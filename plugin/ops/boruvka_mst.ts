/**
 * BoruvkaMST: the minimum spanning tree of a weighted graph and its breadth-first order (GrootVL, section 3.2; O. Boruvka,
 * "O jistem problemu minimalnim", 1926).
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { defineOp, float32, int32 } from './declare.js';
import { checkConnected, countVertices, trustTree } from './graph_checks.js';
import { runOp } from './kernels.js';

/** A spanning tree of each graph in a batch, as returned by {@link boruvkaMST}. All three tensors are int32. */
export interface Tree {
  /** Shape [B, V-1]: the chosen rows of `edges`, ascending. */
  readonly edgeIndex: Tensor2D;
  /** Shape [B, V]: vertex ids in breadth-first order from the root; neighbours of a vertex by ascending id. */
  readonly order: Tensor2D;
  /** Shape [B, V]: position in `order` of the parent of vertex `order[b, i]`. parent[b, i] < i, and parent[b, 0] = 0. */
  readonly parent: Tensor2D;
  /** Disposes the three tensors. */
  dispose(): void;
}

/** The inputs through which ops take a tree. */
export const treeInputs = {
  order: int32(['B', 'V'], 'vertex ids, each parent before its children'),
  parent: int32(['B', 'V'], 'position in `order` of the parent of order[b, i]; 0 for the root'),
} as const;

/** The part of a {@link Tree} that ops along a tree need. */
export type ScanTree = Readonly<Record<keyof typeof treeInputs, Tensor>>;

/** The graph from which a tree is chosen. */
export const edgesInput = int32(['E', '2'], 'edges as pairs of vertex ids');

/** Attributes of ops that choose a tree. */
export const treeAttributes = {
  numVertices: {
    type: 'integer',
    least: 1,
    letter: 'V',
    doc: 'number of vertices V; a GraphModel node without it takes V from the edges',
  },
  root: {
    type: 'integer',
    default: 0,
    least: 0,
    most: 'V-1',
    doc: 'root of the tree: vertex at which the breadth-first order starts',
  },
} as const;

/** Outputs of ops that choose a tree. */
export const treeOutputs = {
  edgeIndex: int32(['B', 'V-1'], 'indices of the chosen edges, ascending'),
  order: int32(['B', 'V'], 'vertex ids in breadth-first order from the root'),
  parent: int32(['B', 'V'], 'position in `order` of the parent of order[b, i]; 0 for the root'),
} as const;

export const BoruvkaMST = defineOp({
  name: 'BoruvkaMST',
  doc:
    'Minimum spanning tree by the total order (weight, edge index): unique, and exactly the same on every backend. ' +
    '-0 equals +0, NaN comes after +Infinity.',
  inputs: {
    weights: float32(['B', 'E'], 'weight of each edge'),
    edges: edgesInput,
  },
  attributes: treeAttributes,
  outputs: treeOutputs,
  validate: ({ edges }, { numVertices }, read) => checkConnected('BoruvkaMST', edges, numVertices, read),
  produced: ([, order, parent], { root }) => trustTree(order, parent, root),
  graphDefaults: ({ edges }, read) => ({ numVertices: countVertices('BoruvkaMST', edges, read) }),
});

/**
 * Finds the minimum spanning tree of each graph in a batch with Boruvka's algorithm.
 * @param weights [B, E] float32.
 * @param edges [E, 2] int32 vertex ids; parallel edges and self-loops are allowed.
 * @param options.numVertices V, at least 1.
 * @param options.root vertex at which the breadth-first order starts, 0 by default.
 * @throws {OpError} if a rank, dtype or size is wrong, a vertex id is out of range, or the graph is not connected.
 */
export function boruvkaMST(
  weights: Tensor,
  edges: Tensor,
  options: { numVertices: number; root?: number },
): Tree {
  const { numVertices, root } = options ?? {}; // if numVertices is missing, the attribute check reports it
  return treeOf(runOp(BoruvkaMST, { weights, edges }, { numVertices, root }));
}

/** Makes a tree of the three tensors that ops return, in the order edgeIndex, order, parent. */
export function treeOf(tensors: readonly Tensor[]): Tree {
  const [edgeIndex, order, parent] = tensors as readonly Tensor2D[];
  return {
    edgeIndex,
    order,
    parent,
    dispose: () => {
      for (const tensor of tensors) tensor.dispose();
    },
  };
}
