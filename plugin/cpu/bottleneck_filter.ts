/**
 * BottleneckFilter in plain TypeScript, in float64, rounded once.
 *
 * Edges are processed by ascending distance, and each joins two components (J. B. Kruskal, 1956). The edge is the largest on
 * every path between the two, so each side receives the affinity times the sum of the other. The components are the nodes of
 * a binary tree: sums are computed from the leaves up, and received values are passed down.
 */
import { BottleneckFilter } from '../ops/bottleneck_filter.js';
import { registerHostKernel } from '../ops/kernels.js';
import { UnionFind } from '../union_find.js';

registerHostKernel(BottleneckFilter, ({ inputs, outputs: { y }, shapes, attributes: { zeta } }) => {
  const [batch, numVertices, channels] = shapes.x;
  for (let b = 0; b < batch; b++) {
    const rowOf = <Row extends Float32Array | Int32Array>(values: Row) =>
      values.subarray(b * numVertices, (b + 1) * numVertices) as Row;
    const first = b * numVertices * channels;
    const x = inputs.x.subarray(first, first + numVertices * channels);
    const distance = rowOf(inputs.distance);
    const joins = joinsInOrder(rowOf(inputs.order), rowOf(inputs.parent), distance).map((join) => ({
      ...join,
      affinity: Math.exp(-distance[join.vertex] / zeta ** 2),
    }));
    const total = affineSums(joins, new Float64Array(numVertices).fill(1), 1);
    affineSums(joins, x, channels).forEach((sum, i) => {
      y[first + i] = sum / total[Math.floor(i / channels)];
    });
  }
});

/** The join of two nodes into a new one, which gets the next number. The first nodes are the vertices. */
interface Join {
  readonly left: number;
  readonly right: number;
  /** The end of the edge that is farther from the root. */
  readonly vertex: number;
}

function joinsInOrder(
  order: ArrayLike<number>,
  parent: ArrayLike<number>,
  distance: ArrayLike<number>,
): Join[] {
  const numVertices = order.length;
  const parents = new Int32Array(numVertices);
  for (let i = 1; i < numVertices; i++) parents[order[i]] = order[parent[i]];
  const vertices = Array.from(order).slice(1);
  const key = (v: number) => (Number.isNaN(distance[v]) ? Number.POSITIVE_INFINITY : distance[v]);
  vertices.sort((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
  const components = new UnionFind(numVertices);
  const nodes = Int32Array.from({ length: numVertices }, (_, v) => v); // by the representative vertex of a component
  return vertices.map((vertex, i) => {
    const [left, right] = [vertex, parents[vertex]].map((end) => nodes[components.find(end)]);
    components.join(vertex, parents[vertex]);
    nodes[components.find(vertex)] = numVertices + i;
    return { left, right, vertex };
  });
}

/** Computes the affinity-weighted sums over all vertices, for each vertex: [V, D] to [V, D]. */
function affineSums(
  joins: readonly (Join & { readonly affinity: number })[],
  x: ArrayLike<number>,
  channels: number,
): Float64Array {
  const numVertices = joins.length + 1;
  const sums = new Float64Array((numVertices + joins.length) * channels);
  sums.set(x);
  for (const [i, { left, right }] of joins.entries()) {
    for (let d = 0; d < channels; d++) {
      sums[(numVertices + i) * channels + d] = sums[left * channels + d] + sums[right * channels + d];
    }
  }
  const given = new Float64Array(sums.length); // what the vertices of a node receive from outside of it
  for (let i = joins.length - 1; i >= 0; i--) {
    const { left, right, affinity } = joins[i];
    for (let d = 0; d < channels; d++) {
      const fromBeyond = given[(numVertices + i) * channels + d];
      given[left * channels + d] = fromBeyond + affinity * sums[right * channels + d];
      given[right * channels + d] = fromBeyond + affinity * sums[left * channels + d];
    }
  }
  return given.subarray(0, numVertices * channels).map((sum, i) => sum + x[i]);
}
