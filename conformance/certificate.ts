/**
 * The certificate of a tree: how far it is from minimal. For each edge outside the tree, it compares the largest weight on the
 * tree path between its ends with the edge's own weight; no difference is positive for a minimum spanning tree, and a tree whose
 * largest difference is tiny differs from the minimum only by near ties.
 */
import { rootTree } from '../plugin/ops/spec/rooted_tree.js';

export interface Certificate {
  /**
   * The largest excess of a tree edge over an edge that could replace it; 0 or less: minimal. -Infinity: no alternative edges.
   */
  readonly margin: number;
  /** Index of the edge outside the tree at which it occurs, or -1. */
  readonly edge: number;
}

/**
 * @param chosen indices of the tree's edges
 * @param weights float64, by edge
 * @throws {Error} if the chosen edges are not a spanning tree
 */
export function certify(
  chosen: ArrayLike<number>,
  weights: ArrayLike<number>,
  edges: ArrayLike<number>,
  numVertices: number,
): Certificate {
  const pairs: number[] = [];
  const weightOf = new Map<string, number>();
  const inTree = new Uint8Array(weights.length);
  for (let i = 0; i < chosen.length; i++) {
    const [u, v] = [edges[2 * chosen[i]], edges[2 * chosen[i] + 1]];
    pairs.push(u, v);
    inTree[chosen[i]] = 1;
    weightOf.set(`${u} ${v}`, weights[chosen[i]]).set(`${v} ${u}`, weights[chosen[i]]);
  }
  const { order, parent } = rootTree(pairs, numVertices);
  const position = new Int32Array(numVertices);
  const depth = new Int32Array(numVertices);
  const up = new Float64Array(numVertices); // weight of the edge to the parent, by position
  for (let i = 0; i < numVertices; i++) {
    position[order[i]] = i;
    if (i === 0) continue;
    depth[i] = depth[parent[i]] + 1;
    up[i] = weightOf.get(`${order[i]} ${order[parent[i]]}`) as number;
  }
  let [margin, edge] = [Number.NEGATIVE_INFINITY, -1];
  for (let e = 0; e < weights.length; e++) {
    if (inTree[e]) continue;
    let [a, b] = [position[edges[2 * e]], position[edges[2 * e + 1]]];
    let heaviest = Number.NEGATIVE_INFINITY;
    while (a !== b) {
      if (depth[a] < depth[b]) [a, b] = [b, a];
      heaviest = Math.max(heaviest, up[a]);
      a = parent[a];
    }
    if (heaviest - weights[e] > margin) [margin, edge] = [heaviest - weights[e], e];
  }
  return { margin, edge };
}
