/** Disjoint sets of vertices, by rank and with path halving (R. E. Tarjan and J. van Leeuwen, 1984). */
export class UnionFind {
  /** Number of sets. */
  count: number;
  private readonly leader: Int32Array;
  private readonly rank: Uint8Array;

  /** Starts with every vertex in its own set. */
  constructor(numVertices: number) {
    this.count = numVertices;
    this.leader = Int32Array.from({ length: numVertices }, (_, v) => v);
    this.rank = new Uint8Array(numVertices);
  }

  /** Returns the representative vertex of the set of `vertex`. */
  find(vertex: number): number {
    const { leader } = this;
    let v = vertex;
    while (leader[v] !== v) {
      leader[v] = leader[leader[v]];
      v = leader[v];
    }
    return v;
  }

  /** Joins the sets of u and v; returns false if they are the same. At equal rank, the representative of `u` is kept. */
  join(u: number, v: number): boolean {
    const { leader, rank } = this;
    const [a, b] = [this.find(u), this.find(v)];
    if (a === b) return false;
    if (rank[a] < rank[b]) leader[a] = b;
    else leader[b] = a;
    if (rank[a] === rank[b]) rank[a]++;
    this.count--;
    return true;
  }
}
