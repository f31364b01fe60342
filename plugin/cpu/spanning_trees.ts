/** Shared by the CPU kernels that choose a spanning tree: the loop over a batch, and the breadth-first order. */
import type { treeOutputs } from '../ops/boruvka_mst.js';

/** Writes the chosen edges of a graph, ascending. */
export type ChooseEdges = (weights: Float32Array, edgeIndex: Int32Array, item: number) => void;

interface Trees {
  readonly outputs: Readonly<Record<keyof typeof treeOutputs, Float32Array | Int32Array>>;
  /** [B, E] */
  readonly weights: Float32Array;
  /** [E, 2] */
  readonly edges: Int32Array;
  readonly numVertices: number;
  readonly root: number;
}

/** Chooses a tree for every item of a batch and writes it to the outputs of an op. */
export function spanningTrees(
  { weights, edges, outputs, numVertices, root }: Trees,
  choose: ChooseEdges,
): void {
  const numEdges = edges.length / 2;
  const batch = outputs.order.length / numVertices;
  for (let b = 0; b < batch; b++) {
    const edgeIndex = outputs.edgeIndex.subarray(b * (numVertices - 1), (b + 1) * (numVertices - 1));
    const rowOf = (values: Float32Array | Int32Array) =>
      values.subarray(b * numVertices, (b + 1) * numVertices) as Int32Array;
    choose(weights.subarray(b * numEdges, (b + 1) * numEdges), edgeIndex as Int32Array, b);
    breadthFirstOrder(edgeIndex as Int32Array, edges, root, rowOf(outputs.order), rowOf(outputs.parent));
  }
}

/** Computes the breadth-first order of a tree from `root`, neighbours by ascending id, and each vertex's parent position. */
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
  // Inserts the pairs again, ordered by neighbour, so that every list is ascending, in linear time.
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
