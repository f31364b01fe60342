/** A graph as a texture, made once per edge list, for the shaders of device_tree.ts. */
import type { Table } from './textures.js';

/**
 * @param edges [E, 2] vertex ids.
 * @returns E + 2E + V texels.
 *   Edges: (one end, the other end).
 *   Slots, the two directions of every edge by (tail, head): (tail, head, edge, slot of the other direction).
 *   Vertices: (first slot that leaves it, the one after the last).
 * O(E + V).
 */
export function graphTable(edges: Int32Array, numVertices: number): Table {
  const numEdges = edges.length / 2;
  const texels = 3 * numEdges + numVertices;
  const values = new Float32Array(4 * texels);
  // A direction is an entry of `edges`, that of its tail: entry i leads to the vertex in entry i ^ 1.
  const byHead = sortBy(
    Int32Array.from(edges, (_, i) => i),
    (direction) => edges[direction ^ 1],
    numVertices,
  );
  const { sorted, starts } = sortBy(byHead.sorted, (direction) => edges[direction], numVertices);
  const slots = new Int32Array(edges.length);
  for (let slot = 0; slot < sorted.length; slot++) slots[sorted[slot]] = slot;

  for (let edge = 0; edge < numEdges; edge++) {
    values[4 * edge] = edges[2 * edge];
    values[4 * edge + 1] = edges[2 * edge + 1];
  }
  for (let slot = 0, at = 4 * numEdges; slot < sorted.length; slot++, at += 4) {
    const direction = sorted[slot];
    values[at] = edges[direction];
    values[at + 1] = edges[direction ^ 1];
    values[at + 2] = direction >> 1;
    values[at + 3] = slots[direction ^ 1];
  }
  for (let vertex = 0, at = 12 * numEdges; vertex < numVertices; vertex++, at += 4) {
    values[at] = starts[vertex];
    values[at + 1] = starts[vertex + 1];
  }
  return { values, shape: [1, 2, 2 * texels] };
}

/** Stable counting sort of items by keys below `bound`; those of key k start at `starts[k]`. */
function sortBy(
  items: Int32Array,
  keyOf: (item: number) => number,
  bound: number,
): { sorted: Int32Array; starts: Int32Array } {
  const starts = new Int32Array(bound + 1);
  for (const item of items) starts[keyOf(item) + 1]++;
  for (let key = 0; key < bound; key++) starts[key + 1] += starts[key];
  const next = starts.slice();
  const sorted = new Int32Array(items.length);
  for (const item of items) sorted[next[keyOf(item)]++] = item;
  return { sorted, starts };
}
