/** Disjoint sets of vertices, with path halving (R. E. Tarjan and J. van Leeuwen, 1984). */
export class UnionFind {
  /** Sets that are left. */
  count: number;
  private readonly leader: Int32Array;

  /** Every vertex a set of its own. */
  constructor(numVertices: number) {
    this.count = numVertices;
    this.leader = Int32Array.from({ length: numVertices }, (_, v) => v);
  }

  /** The vertex that stands for the set of `vertex`. */
  find(vertex: number): number {
    const { leader } = this;
    let v = vertex;
    while (leader[v] !== v) {
      leader[v] = leader[leader[v]];
      v = leader[v];
    }
    return v;
  }

  /** Joins two sets; nothing happens when they are one already. */
  join(u: number, v: number): void {
    const [a, b] = [this.find(u), this.find(v)];
    if (a === b) return;
    this.leader[a] = b;
    this.count--;
  }
}
