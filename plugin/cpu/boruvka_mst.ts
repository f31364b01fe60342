/** BoruvkaMST in plain TypeScript: O(E log V) for the tree, O(V) for its order. */
import { BoruvkaMST } from '../ops/boruvka_mst.js';
import { registerHostKernel } from '../ops/kernels.js';
import { UnionFind } from '../union_find.js';

const NONE = -1;

registerHostKernel(BoruvkaMST, ({ inputs, outputs, shapes, attributes }) => {
  const [batch, numEdges] = shapes.weights;
  const { numVertices } = attributes;
  const edges = inputs.edges as Int32Array;
  for (let b = 0; b < batch; b++) {
    const weights = inputs.weights.subarray(b * numEdges, (b + 1) * numEdges) as Float32Array;
    const edgeIndex = outputs.edgeIndex.subarray(b * (numVertices - 1), (b + 1) * (numVertices - 1));
    const vertices = [b * numVertices, (b + 1) * numVertices] as const;
    spanningTree(weights, edges, numVertices, edgeIndex as Int32Array);
    breadthFirstOrder(
      edgeIndex as Int32Array,
      edges,
      attributes.root,
      outputs.order.subarray(...vertices) as Int32Array,
      outputs.parent.subarray(...vertices) as Int32Array,
    );
  }
});

/** Whether weight a comes before weight b. -0 equals +0; NaN comes after everything and equals itself. */
function isLess(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a));
}

/**
 * Boruvka's algorithm: in every round each component takes the first edge, by (weight, index), that leaves it. The
 * order is total, so the chosen edges never close a cycle.
 */
function spanningTree(
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
      // Edges come in ascending index, so a tie keeps the one that is there.
      if (first[u] === NONE || isLess(weights[e], weights[first[u]])) first[u] = e;
      if (first[v] === NONE || isLess(weights[e], weights[first[v]])) first[v] = e;
    }
    for (let component = 0; component < numVertices; component++) {
      const e = first[component];
      if (e === NONE || chosen[e]) continue; // both ends may have taken the same edge
      chosen[e] = 1;
      components.join(edges[2 * e], edges[2 * e + 1]);
    }
  }
  let count = 0;
  for (let e = 0; e < weights.length; e++) if (chosen[e]) edgeIndex[count++] = e;
}

/** Breadth-first order of a tree from `root`, neighbours in ascending id, and each vertex's parent position. */
function breadthFirstOrder(
  edgeIndex: Int32Array,
  edges: Int32Array,
  root: number,
  order: Int32Array,
  parent: Int32Array,
): void {
  const numVertices = order.length;
  const { start, neighbours } = ascendingNeighbours(edgeIndex, edges, numVertices);
  const visited = new Uint8Array(numVertices);
  order[0] = root;
  parent[0] = 0;
  visited[root] = 1;
  for (let position = 0, end = 1; position < end; position++) {
    const v = order[position];
    for (let i = start[v]; i < start[v + 1]; i++) {
      const neighbour = neighbours[i];
      if (visited[neighbour]) continue;
      visited[neighbour] = 1;
      order[end] = neighbour;
      parent[end] = position;
      end++;
    }
  }
}

/** Neighbours of v are neighbours[start[v]..start[v+1]), ascending. */
function ascendingNeighbours(
  edgeIndex: Int32Array,
  edges: Int32Array,
  numVertices: number,
): { start: Int32Array; neighbours: Int32Array } {
  const start = new Int32Array(numVertices + 1);
  for (const e of edgeIndex) {
    start[edges[2 * e] + 1]++;
    start[edges[2 * e + 1] + 1]++;
  }
  for (let v = 0; v < numVertices; v++) start[v + 1] += start[v];
  const fill = (pairs: Iterable<readonly [number, number]>): Int32Array => {
    const next = start.slice();
    const lists = new Int32Array(start[numVertices]);
    for (const [v, neighbour] of pairs) lists[next[v]++] = neighbour;
    return lists;
  };
  const unsorted = fill(bothDirections(edgeIndex, edges));
  // The same pairs again, this time by ascending neighbour: every list comes out ascending, in linear time.
  const neighbours = fill(byNeighbour(start, unsorted));
  return { start, neighbours };
}

function* bothDirections(edgeIndex: Int32Array, edges: Int32Array): Generator<readonly [number, number]> {
  for (const e of edgeIndex) {
    yield [edges[2 * e], edges[2 * e + 1]];
    yield [edges[2 * e + 1], edges[2 * e]];
  }
}

function* byNeighbour(start: Int32Array, neighbours: Int32Array): Generator<readonly [number, number]> {
  for (let v = 0; v + 1 < start.length; v++) {
    for (let i = start[v]; i < start[v + 1]; i++) yield [neighbours[i], v];
  }
}
