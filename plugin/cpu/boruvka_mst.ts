/** BoruvkaMST in plain TypeScript, O(E log V). */
import { BoruvkaMST } from '../ops/boruvka_mst.js';
import { registerHostKernel } from '../ops/kernels.js';
import { UnionFind } from '../union_find.js';
import { spanningTrees } from './spanning_trees.js';

const NONE = -1;

registerHostKernel(BoruvkaMST, ({ inputs, outputs, attributes: { numVertices, root } }) => {
  const weights = inputs.weights as Float32Array;
  const edges = inputs.edges as Int32Array;
  spanningTrees({ weights, edges, outputs, numVertices, root }, (row, edgeIndex) =>
    minimumTree(row, edges, numVertices, edgeIndex),
  );
});

/** Whether weight a precedes weight b. -0 equals +0; NaN comes last and equals itself. */
function isLess(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a));
}

/**
 * Boruvka's algorithm: in every round each component takes the first edge, by (weight, index), that leaves it. The order is
 * total, so the chosen edges never form a cycle.
 */
function minimumTree(
  weights: Float32Array,
  edges: Int32Array,
  numVertices: number,
  edgeIndex: Int32Array,
): void {
  const components = new UnionFind(numVertices);
  const chosen = new Uint8Array(weights.length);
  const first = new Int32Array(numVertices);
  while (components.count > 1) {
    first.fill(NONE);
    for (let e = 0; e < weights.length; e++) {
      const u = components.find(edges[2 * e]);
      const v = components.find(edges[2 * e + 1]);
      if (u === v) continue;
      // Edges are visited by ascending index, so a tie keeps the earlier one.
      if (first[u] === NONE || isLess(weights[e], weights[first[u]])) first[u] = e;
      if (first[v] === NONE || isLess(weights[e], weights[first[v]])) first[v] = e;
    }
    for (let component = 0; component < numVertices; component++) {
      const e = first[component];
      if (e === NONE || chosen[e]) continue; // both ends may have chosen the same edge
      chosen[e] = 1;
      components.join(edges[2 * e], edges[2 * e + 1]);
    }
  }
  let count = 0;
  for (let e = 0; e < weights.length; e++) if (chosen[e]) edgeIndex[count++] = e;
}
