/**
 * Minimum spanning trees by J. B. Kruskal's algorithm ("On the shortest spanning subtree of a graph", 1956), in the total
 * order (weight, edge index) that the ops guarantee: -0 equals +0, NaN comes after +Infinity.
 */

/**
 * Returns the chosen edges, ascending. `edges` holds pairs of vertex ids.
 * @throws {Error} if the graph is not connected.
 */
export function kruskal(
  weights: ArrayLike<number>,
  edges: ArrayLike<number>,
  numVertices: number,
): Int32Array {
  const before = (a: number, b: number): boolean => {
    const [x, y] = [weights[a], weights[b]];
    if (Number.isNaN(x) || Number.isNaN(y)) {
      return Number.isNaN(x) === Number.isNaN(y) ? a < b : Number.isNaN(y);
    }
    return x === y ? a < b : x < y;
  };
  const sorted = Array.from({ length: weights.length }, (_, e) => e).sort((a, b) =>
    before(a, b) ? -1 : before(b, a) ? 1 : 0,
  );
  const component = Int32Array.from({ length: numVertices }, (_, v) => v);
  const find = (vertex: number): number => {
    let v = vertex;
    while (component[v] !== v) v = component[v];
    return v;
  };
  const size = new Int32Array(numVertices).fill(1);
  const chosen: number[] = [];
  for (const e of sorted) {
    const [u, v] = [find(edges[2 * e]), find(edges[2 * e + 1])];
    if (u === v) continue;
    const [large, small] = size[u] >= size[v] ? [u, v] : [v, u];
    component[small] = large;
    size[large] += size[small];
    chosen.push(e);
  }
  if (chosen.length !== numVertices - 1) throw new Error('the graph of the case is not connected');
  return Int32Array.from(chosen).sort();
}
