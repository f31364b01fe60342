/** Nodes of trees: of the outputs of an op that gives one, order and parent are what a scan takes. */
import { type GraphBuilder, int, type Output, outputOf } from './graph_builder.js';

export interface TreeNodes {
  readonly order: Output;
  readonly parent: Output;
}

/** @param node of an op that gives a tree */
export function treeOf(node: Output): TreeNodes {
  return { order: outputOf(node, 1), parent: outputOf(node, 2) };
}

/** The minimum spanning tree of a graph, from its first vertex on: the node `<name>/tree`. */
export function spanningTree(graph: GraphBuilder, name: string, weights: Output, edges: Output): TreeNodes {
  return treeOf(graph.node('BoruvkaMST', `${name}/tree`, [weights, edges], { root: int(0) }));
}

/** The same tree as nodes of one output each, `<name>/order` and `<name>/parent`, so that it can be fed. */
export function fedTree(graph: GraphBuilder, name: string, { order, parent }: TreeNodes): TreeNodes {
  return {
    order: graph.node('Identity', `${name}/order`, [order]),
    parent: graph.node('Identity', `${name}/parent`, [parent]),
  };
}
