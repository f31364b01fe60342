/** Nodes for trees: the order and parent outputs of tree ops, which scans take. */
import { type GraphBuilder, int, type Output, outputOf } from './graph_builder.js';

export interface TreeNodes {
  readonly order: Output;
  readonly parent: Output;
}

/** @param node of an op whose output is a tree */
export function treeOf(node: Output): TreeNodes {
  return { order: outputOf(node, 1), parent: outputOf(node, 2) };
}

/** The minimum spanning tree of a graph, rooted at its first vertex: the node `<name>/tree`. */
export function spanningTree(graph: GraphBuilder, name: string, weights: Output, edges: Output): TreeNodes {
  return treeOf(graph.node('BoruvkaMST', `${name}/tree`, [weights, edges], { root: int(0) }));
}

/** The same tree as nodes with a single output, `<name>/order` and `<name>/parent`, so that it can be fed. */
export function fedTree(graph: GraphBuilder, name: string, { order, parent }: TreeNodes): TreeNodes {
  return {
    order: graph.node('Identity', `${name}/order`, [order]),
    parent: graph.node('Identity', `${name}/parent`, [parent]),
  };
}
