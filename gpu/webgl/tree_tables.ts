/**
 * The index tables with which a tree is scanned in log2(depth) draws. Trees are in breadth-first order, so that the
 * descendants of a vertex at any one distance are a contiguous range.
 */
import type { Table } from './textures.js';

/**
 * @param order [B, V] vertex ids in breadth-first order.
 * @param parent [B, V] position in `order` of each parent.
 * @returns [rounds + 1, 2B, 2V] packed, one texel for each (layer, tree, i).
 *   Layer 0: the vertex at position i; the position of vertex i; the parent of vertex i, -1 for the root.
 *   Layer k + 1: of position i, the ancestor at distance 2^k, -1 beyond the root; the first descendant at distance
 *   2^k and the one after the last. 2^rounds is more than the depth of every tree of the batch.
 * O(V log depth).
 */
export function treeTables(order: Int32Array, parent: Int32Array, batch: number, numVertices: number): Table {
  const depth = depthOf(parent, batch, numVertices);
  const rounds = Math.ceil(Math.log2(depth + 1));
  const values = new Float32Array(4 * (rounds + 1) * batch * numVertices);
  const write = (layer: number, b: number, i: number, slot: number, value: number) => {
    values[4 * ((layer * batch + b) * numVertices + i) + slot] = value;
  };
  for (let b = 0; b < batch; b++) {
    const vertex = order.subarray(b * numVertices, (b + 1) * numVertices);
    const ancestor = parent.slice(b * numVertices, (b + 1) * numVertices);
    ancestor[0] = -1;
    for (let i = 0; i < numVertices; i++) {
      write(0, b, i, 0, vertex[i]);
      write(0, b, vertex[i], 1, i);
      write(0, b, vertex[i], 2, ancestor[i] < 0 ? -1 : vertex[ancestor[i]]);
    }
    let reach = ancestor;
    for (let k = 0; k < rounds; k++) {
      const seen = new Uint8Array(numVertices);
      for (let i = 0; i < numVertices; i++) {
        write(k + 1, b, i, 0, reach[i]);
        if (reach[i] < 0) continue;
        if (!seen[reach[i]]) write(k + 1, b, reach[i], 1, i);
        seen[reach[i]] = 1;
        write(k + 1, b, reach[i], 2, i + 1);
      }
      const previous = reach;
      reach = previous.map((at) => (at < 0 ? -1 : previous[at]));
    }
  }
  return { values, shape: [rounds + 1, 2 * batch, 2 * numVertices] };
}

/** Depth of the deepest tree: that of its last vertex. */
function depthOf(parent: Int32Array, batch: number, numVertices: number): number {
  let deepest = 0;
  for (let b = 0; b < batch; b++) {
    let depth = 0;
    for (let i = numVertices - 1; i > 0; i = parent[b * numVertices + i]) depth++;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
