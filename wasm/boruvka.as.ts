// Boruvka's algorithm in AssemblyScript: a minimum or random spanning tree and its breadth-first order. The module imports
// only the memory; callers pass every array, including scratch memory, so it needs neither a stack nor a heap of its own.

/** Bytes of an entry of the int32 arrays, and of an entry of the list of remaining edges. */
const WORD: usize = 4;
const EDGE: usize = 16;

/** No edge leaves the component (yet): sorts after every edge in the total order. */
const NONE: u64 = u64.MAX_VALUE;

const INFINITY_BITS: u32 = 0x7f800000;

/** Maps weights to unsigned integers of the same order: -0 equals +0, NaN comes after +Infinity. */
function orderOf(weight: f32): u32 {
  const bits = reinterpret<u32>(weight + 0.0); // -0 + 0 is +0
  if ((bits & 0x7fffffff) > INFINITY_BITS) return u32.MAX_VALUE; // NaN
  return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

/** Bytes of scratch memory that spanningTree needs. */
export function spanningTreeScratch(numVertices: i32, numEdges: i32): usize {
  return <usize>numEdges * (EDGE + 1) + <usize>numVertices * (8 + 2 * WORD) + 16;
}

/**
 * Boruvka's algorithm with contraction. In every round each component takes the first edge, by (weight, index), that leaves
 * it; then joined components become one vertex, and edges within it are dropped. Edges keep their order, so (weight,
 * position in the list) orders them as (weight, index) does. The order is total, so no cycle can form. What happens to an
 * edge depends on its weight, which branch prediction cannot predict: hence selects instead of branches.
 *
 * The graph is connected, as the op has checked.
 *
 * @param weights [E] float32
 * @param edges [E, 2] int32
 * @param edgeIndex [V-1] int32, the result: chosen edges, ascending
 * @param scratch aligned to 8 bytes
 */
export function spanningTree(
  weights: usize,
  edges: usize,
  numVertices: i32,
  numEdges: i32,
  edgeIndex: usize,
  scratch: usize,
): void {
  // Per component: its first edge as (order of the weight, position); the component that it joins; its new number.
  const first = scratch;
  const joins = first + <usize>numVertices * 8;
  const renamed = joins + <usize>numVertices * WORD;
  // Per remaining edge: both ends, the order of its weight, its index.
  const list = (renamed + <usize>numVertices * WORD + 7) & ~7;
  const chosen = list + <usize>numEdges * EDGE;
  memory.fill(chosen, 0, numEdges);

  let left = 0;
  for (let e = 0; e < numEdges; e++) {
    const u = load<i32>(edges + <usize>e * 8);
    const v = load<i32>(edges + <usize>e * 8, 4);
    const at = list + <usize>left * EDGE;
    store<i32>(at, u);
    store<i32>(at, v, 4);
    store<u32>(at, orderOf(load<f32>(weights + <usize>e * WORD)), 8);
    store<i32>(at, e, 12);
    left += i32(u !== v); // a self-loop is overwritten by the next edge
  }

  for (let components = numVertices; components > 1; ) {
    for (let c = 0; c < components; c++) store<u64>(first + <usize>c * 8, NONE);
    for (let i = 0; i < left; i++) {
      const at = list + <usize>i * EDGE;
      const candidate = ((<u64>load<u32>(at, 8)) << 32) | <u64>i;
      const u = first + <usize>load<i32>(at) * 8;
      const v = first + <usize>load<i32>(at, 4) * 8;
      store<u64>(u, min(load<u64>(u), candidate));
      store<u64>(v, min(load<u64>(v), candidate));
    }

    for (let c = 0; c < components; c++) {
      const at = list + <usize>(<u32>load<u64>(first + <usize>c * 8)) * EDGE;
      store<u8>(chosen + <usize>load<i32>(at, 12), 1);
      store<i32>(joins + <usize>c * WORD, load<i32>(at) ^ load<i32>(at, 4) ^ c); // the other end
    }
    // Two components that took the same edge point at each other: the smaller one becomes the root of their union.
    let roots = 0;
    for (let c = 0; c < components; c++) {
      const other = load<i32>(joins + <usize>c * WORD);
      const isRoot = i32(load<i32>(joins + <usize>other * WORD) === c) & i32(c < other);
      store<i32>(joins + <usize>c * WORD, select<i32>(c, other, isRoot));
      store<i32>(renamed + <usize>c * WORD, roots); // holds for roots
      roots += isRoot;
    }
    // Pointer jumping: each iteration doubles the distance, until every component points at its root.
    for (let moved = 1; moved; ) {
      moved = 0;
      for (let c = 0; c < components; c++) {
        const up = load<i32>(joins + <usize>c * WORD);
        const beyond = load<i32>(joins + <usize>up * WORD);
        store<i32>(joins + <usize>c * WORD, beyond);
        moved |= up ^ beyond;
      }
    }
    components = roots;

    let kept = 0;
    for (let i = 0; i < left; i++) {
      const from = list + <usize>i * EDGE;
      const u = newNumber(joins, renamed, load<i32>(from));
      const v = newNumber(joins, renamed, load<i32>(from, 4));
      const orderAndIndex = load<u64>(from, 8);
      const to = list + <usize>kept * EDGE;
      store<i32>(to, u);
      store<i32>(to, v, 4);
      store<u64>(to, orderAndIndex, 8);
      kept += i32(u !== v);
    }
    left = kept;
  }

  ascending(chosen, numVertices, numEdges, edgeIndex);
}

function newNumber(joins: usize, renamed: usize, component: i32): i32 {
  return load<i32>(renamed + <usize>load<i32>(joins + <usize>component * WORD) * WORD);
}

/** Bytes of scratch memory that randomSpanningTree needs. */
export function randomSpanningTreeScratch(numVertices: i32, numEdges: i32): usize {
  return <usize>numVertices * (2 * WORD + 1) + <usize>numEdges;
}

/**
 * Boruvka's algorithm with random draws, as described in plugin/cpu/random_spanning_tree.ts. The graph is connected, as the
 * op has checked.
 *
 * @param similarity [E] float32
 * @param edges [E, 2] int32
 * @param edgeIndex [V-1] int32, the result: chosen edges, ascending
 */
export function randomSpanningTree(
  similarity: usize,
  edges: usize,
  numVertices: i32,
  numEdges: i32,
  seed: u32,
  item: u32,
  edgeIndex: usize,
  scratch: usize,
): void {
  // Per vertex: a vertex nearer to the representative of its component; if it is one, the component's choice; a rank.
  const leaders = scratch;
  const choices = leaders + <usize>numVertices * WORD;
  const ranks = choices + <usize>numVertices * WORD;
  const chosen = ranks + <usize>numVertices;
  memory.fill(ranks, 0, <usize>numVertices + <usize>numEdges);
  for (let v = 0; v < numVertices; v++) store<i32>(leaders + <usize>v * WORD, v);

  const itemHash = mix(mix(seed + 0x9e3779b9) ^ (item + 0x85ebca6b));
  for (let components = numVertices, round: u32 = 0; components > 1; round++) {
    const roundHash = mix(itemHash ^ (round + 0xc2b2ae35));
    for (let v = 0; v < numVertices; v++) store<i32>(choices + <usize>v * WORD, -1);
    for (let e = 0; e < numEdges; e++) {
      const u = leaderOf(leaders, load<i32>(edges + <usize>e * 8));
      const v = leaderOf(leaders, load<i32>(edges + <usize>e * 8, 4));
      if (u === v) continue;
      choose(choices, similarity, u, e, mix(roundHash ^ (2 * e + 0x27d4eb2f)));
      choose(choices, similarity, v, e, mix(roundHash ^ (2 * e + 1 + 0x27d4eb2f)));
    }
    for (let c = 0; c < numVertices; c++) {
      const e = load<i32>(choices + <usize>c * WORD);
      if (e < 0) continue;
      const u = leaderOf(leaders, load<i32>(edges + <usize>e * 8));
      const v = leaderOf(leaders, load<i32>(edges + <usize>e * 8, 4));
      if (u === v) continue; // the choices may form a cycle
      const rankOfU = load<u8>(ranks + <usize>u);
      const rankOfV = load<u8>(ranks + <usize>v);
      if (rankOfU < rankOfV) store<i32>(leaders + <usize>u * WORD, v);
      else store<i32>(leaders + <usize>v * WORD, u);
      if (rankOfU === rankOfV) store<u8>(ranks + <usize>u, rankOfU + 1);
      store<u8>(chosen + <usize>e, 1);
      components--;
    }
  }
  ascending(chosen, numVertices, numEdges, edgeIndex);
}

function choose(choices: usize, similarity: usize, component: i32, e: i32, hash: u32): void {
  const at = choices + <usize>component * WORD;
  const taken = load<i32>(at);
  if (taken >= 0) {
    const a = load<f32>(similarity + <usize>taken * WORD);
    const b = load<f32>(similarity + <usize>e * WORD);
    if (!(a / (a + b) < <f32>(hash >>> 8) / 16777216.0)) return; // NaN where both are 0
  }
  store<i32>(at, e);
}

/** Returns the representative vertex of a component, with path halving. */
function leaderOf(leaders: usize, vertex: i32): i32 {
  let at = leaders + <usize>vertex * WORD;
  for (let up = load<i32>(at); up !== vertex; up = load<i32>(at)) {
    const beyond = load<i32>(leaders + <usize>up * WORD);
    store<i32>(at, beyond);
    vertex = beyond;
    at = leaders + <usize>vertex * WORD;
  }
  return vertex;
}

function mix(bits: u32): u32 {
  let x = (bits ^ (bits >>> 16)) * 0x21f0aaad;
  x = (x ^ (x >>> 15)) * 0x735a2d97;
  return x ^ (x >>> 15);
}

/** Writes the V-1 chosen edges in ascending order. */
function ascending(chosen: usize, numVertices: i32, numEdges: i32, edgeIndex: usize): void {
  let count: usize = 0;
  const last: usize = <usize>numVertices - 1;
  for (let e = 0; e < numEdges && count < last; e++) {
    store<i32>(edgeIndex + count * WORD, e);
    count += <usize>load<u8>(chosen + <usize>e);
  }
}

/** Bytes of scratch memory that breadthFirstOrder needs. */
export function breadthFirstOrderScratch(numVertices: i32): usize {
  return <usize>numVertices * 6 * WORD + 8;
}

/**
 * Computes the breadth-first order of a tree, with the neighbours of a vertex ascending, in linear time.
 *
 * @param edgeIndex [V-1] int32, the tree's edges
 * @param edges [E, 2] int32
 * @param root where the order starts
 * @param order [V] int32, the result: vertex ids
 * @param parent [V] int32, the result: positions in `order`
 */
export function breadthFirstOrder(
  edgeIndex: usize,
  edges: usize,
  numVertices: i32,
  root: i32,
  order: usize,
  parent: usize,
  scratch: usize,
): void {
  // Neighbours of v are lists[end[v-1]..end[v]) once the lists are full: `end` starts at each list's beginning.
  const end = scratch + WORD;
  const unsorted = scratch + <usize>(numVertices + 1) * WORD;
  const sorted = unsorted + <usize>numVertices * 2 * WORD;
  const next = sorted + <usize>numVertices * 2 * WORD;
  memory.fill(scratch, 0, <usize>(numVertices + 1) * WORD);
  for (let i = 0; i < numVertices - 1; i++) {
    const at = edges + <usize>load<i32>(edgeIndex + <usize>i * WORD) * 8;
    const u = end + <usize>load<i32>(at) * WORD;
    const v = end + <usize>load<i32>(at, 4) * WORD;
    store<i32>(u, load<i32>(u) + 1);
    store<i32>(v, load<i32>(v) + 1);
  }
  let total = 0;
  for (let v = 0; v < numVertices; v++) {
    const degree = load<i32>(end + <usize>v * WORD);
    store<i32>(next + <usize>v * WORD, total);
    total += degree;
    store<i32>(end + <usize>v * WORD, total);
  }
  for (let i = 0; i < numVertices - 1; i++) {
    const at = edges + <usize>load<i32>(edgeIndex + <usize>i * WORD) * 8;
    const u = load<i32>(at);
    const v = load<i32>(at, 4);
    push(unsorted, next, u, v);
    push(unsorted, next, v, u);
  }
  // Inserts the pairs again, ordered by neighbour, so that every list is ascending.
  for (let v = 0; v < numVertices; v++) {
    store<i32>(next + <usize>v * WORD, load<i32>(end + <usize>v * WORD - WORD));
  }
  for (let v = 0, i = 0; v < numVertices; v++) {
    for (const stop = load<i32>(end + <usize>v * WORD); i < stop; i++) {
      push(sorted, next, load<i32>(unsorted + <usize>i * WORD), v);
    }
  }

  store<i32>(order, root);
  store<i32>(parent, 0);
  let filled = 1;
  for (let position = 0; position < filled; position++) {
    const v = load<i32>(order + <usize>position * WORD);
    const above = load<i32>(order + <usize>load<i32>(parent + <usize>position * WORD) * WORD);
    const stop = load<i32>(end + <usize>v * WORD);
    for (let i = load<i32>(end + <usize>v * WORD - WORD); i < stop; i++) {
      const neighbour = load<i32>(sorted + <usize>i * WORD);
      if (neighbour === above) continue; // in a tree, the only neighbour already visited
      store<i32>(order + <usize>filled * WORD, neighbour);
      store<i32>(parent + <usize>filled * WORD, position);
      filled++;
    }
  }
}

function push(lists: usize, next: usize, v: i32, neighbour: i32): void {
  const at = next + <usize>v * WORD;
  const place = load<i32>(at);
  store<i32>(lists + <usize>place * WORD, neighbour);
  store<i32>(at, place + 1);
}
