/**
 * The steps from a weighted graph to its minimum spanning tree, and from a tree to its breadth-first order, each for
 * one edge, vertex or arc. All threads must synchronise between steps: at barriers if one block processes an image in
 * shared memory, at the ends of kernels if many do.
 *
 * No step follows the tree, so none takes longer for a deep one. The order is computed from the tree's Euler tour (R.
 * E. Tarjan and U. Vishkin, "An efficient parallel biconnectivity algorithm", 1985): every edge is two arcs, sorted by
 * tail and head; after the arc to v the tour continues with the next arc from v. Ranked by pointer doubling (J. C.
 * Wyllie, 1979), the tour shows which arcs lead to parents. A second tour then takes these last, and all others in
 * ascending order: it gives each vertex its depth and its position in depth-first preorder. Sorted by depth, then by
 * preorder, the vertices are in breadth-first order, and neighbours are ascending in one if they are in the other.
 */
#pragma once

using Key = unsigned long long;
constexpr Key NO_EDGE = ~0ull;

/** Two numbers in one word: a read sees both of the same write. */
template <typename Word>
struct Halves;
/** Up to 2^15 vertices. */
template <>
struct Halves<unsigned> {
  using Half = unsigned short;
  static constexpr int BITS = 16;
};
template <>
struct Halves<unsigned long long> {
  using Half = unsigned;
  static constexpr int BITS = 32;
};
template <typename Word>
__device__ inline Word packed(unsigned high, unsigned low) {
  return (Word)high << Halves<Word>::BITS | low;
}
template <typename Word>
__device__ inline unsigned high(Word word) {
  return (unsigned)(word >> Halves<Word>::BITS);
}
template <typename Word>
__device__ inline unsigned low(Word word) {
  return (typename Halves<Word>::Half)word;
}

/** Memory for one image: 7 V words, plus twice a bit for each edge and arc. The size is also in spanning_tree.ts. */
template <typename Word>
struct Workspace {
  // For the tree: V each.
  Key* best;       // the first edge that leaves a component, by its representative vertex
  int* component;  // the representative vertex of a vertex's component
  int* link;       // from the representative of a component to that of the one it joins
  int* nextLink;   // the same, written in a step in which others read `link`
  // For the order, in the same memory.
  Word* arcs;                          // [2 V] tail and head, sorted
  Word* links;                         // [2 V] a later arc of the tour, and its distance
  Word* nextLinks;                     // [2 V] the same
  Word* keys;                          // [V] depth and preorder
  typename Halves<Word>::Half* twins;  // [2 V] the opposite arc, before there are keys
  unsigned* position;                  // [V] in the order, after the links
  // For both.
  unsigned* bits;    // chosen edges; then, in the order of the tour, arcs away from the root
  unsigned* counts;  // number of bits in the previous words
  unsigned words;
  int* active;  // by round, whether an edge joined two components; only with several launches

  __device__ Workspace(void* memory, int numVertices, int numEdges) {
    char* const at = reinterpret_cast<char*>(memory);
    const size_t row = sizeof(Word) * numVertices;
    best = reinterpret_cast<Key*>(at);
    component = reinterpret_cast<int*>(best + numVertices);
    link = component + numVertices;
    nextLink = link + numVertices;
    arcs = reinterpret_cast<Word*>(at);
    links = reinterpret_cast<Word*>(at + 2 * row);
    nextLinks = reinterpret_cast<Word*>(at + 4 * row);
    position = reinterpret_cast<unsigned*>(links);
    keys = reinterpret_cast<Word*>(at + 6 * row);
    twins = reinterpret_cast<typename Halves<Word>::Half*>(keys);
    bits = reinterpret_cast<unsigned*>(at + 7 * row);
    words = (unsigned)(max(numEdges, 2 * numVertices) + 31) / 32;
    counts = bits + words;
    active = reinterpret_cast<int*>(counts + words);
  }

  __device__ bool hasBit(unsigned i) const { return bits[i / 32] >> (i % 32) & 1; }
  __device__ void setBit(unsigned i) const { atomicOr(&bits[i / 32], 1u << (i % 32)); }
  /** Number of bits set before bit i. */
  __device__ unsigned bitsBefore(unsigned i) const {
    return counts[i / 32] + __popc(bits[i / 32] & ((1u << (i % 32)) - 1));
  }
};

/** Maps weights to integers of the same order: -0 equals +0, NaN comes after +Infinity and equals itself. */
__device__ inline unsigned ordered(float weight) {
  const unsigned bits = __float_as_uint(weight);
  const unsigned size = bits & 0x7fffffff;
  if (size > 0x7f800000) return 0xffffffff;
  return bits == size || size == 0 ? size | 0x80000000 : ~bits;
}

template <typename Word>
__device__ inline void beginVertex(const Workspace<Word>& at, int v) {
  at.best[v] = NO_EDGE;
  at.component[v] = v;
}

/**
 * Lowers a key. Most offers come too late, and a read, even of an older and so larger key, costs less than an atomic.
 */
__device__ inline void offer(Key* best, Key key) {
  if (key < *(const volatile Key*)best) atomicMin(best, key);
}

/** Offers an edge to the components at its ends. @returns whether it joins two */
template <typename Word>
__device__ inline bool propose(const Workspace<Word>& at, const float* weights, const int2* edges, int e) {
  const int a = at.component[edges[e].x], b = at.component[edges[e].y];
  if (a == b) return false;
  const Key key = (Key)ordered(weights[e]) << 32 | (unsigned)e;
  offer(&at.best[a], key);
  offer(&at.best[b], key);
  return true;
}

/**
 * Takes the first edge that leaves a component. Keys differ: the only possible cycle is two components that take the
 * same edge.
 */
template <typename Word>
__device__ inline void hook(const Workspace<Word>& at, const int2* edges, int v) {
  if (at.component[v] != v) return;
  const Key key = at.best[v];
  if (key == NO_EDGE) {
    at.link[v] = v;
    return;
  }
  const int2 edge = edges[(unsigned)key];
  const int a = at.component[edge.x], b = at.component[edge.y];
  const int other = a == v ? b : a;
  at.link[v] = at.best[other] == key && v < other ? v : other;
  at.setBit((unsigned)key);
}

/**
 * Doubles the reach of a component's link.
 * @returns whether it now reaches further
 */
template <typename Word>
__device__ inline bool doubleComponentLink(const Workspace<Word>& at, int v) {
  if (at.component[v] != v) return false;
  const int next = at.link[v];
  at.nextLink[v] = at.link[next];
  return at.nextLink[v] != next;
}

/** Once links are fully extended: finds the component that a vertex's component has become part of. */
template <typename Word>
__device__ inline void followLink(const Workspace<Word>& at, int v) {
  at.component[v] = at.link[at.component[v]];
  at.best[v] = NO_EDGE;
}

/**
 * The same while links are short: follows them, and shortens the path for others, which may be doing the same. Links
 * only ever advance, so whichever of two a thread sees, it gets there.
 */
template <typename Word>
__device__ inline void walkLinks(const Workspace<Word>& at, int v) {
  volatile int* const link = at.link;
  int top = at.component[v];
  for (int next = link[top]; next != top; next = link[top]) {
    const int beyond = link[next];
    link[top] = beyond;
    top = beyond;
  }
  at.component[v] = top;
  at.best[v] = NO_EDGE;
}

/** Writes a chosen edge to its position, and makes arcs of it. */
template <typename Word>
__device__ inline void collect(const Workspace<Word>& at, const int2* edges, int e, int* edgeIndex) {
  if (!at.hasBit(e)) return;
  const unsigned place = at.bitsBefore(e);
  edgeIndex[place] = e;
  at.arcs[2 * place] = packed<Word>(edges[e].x, edges[e].y);
  at.arcs[2 * place + 1] = packed<Word>(edges[e].y, edges[e].x);
}

/** Returns the first of sorted keys that is not less. */
template <typename Word>
__device__ inline unsigned find(const Word* keys, unsigned size, Word key) {
  unsigned first = 0;
  while (size > 0) {
    const unsigned half = size / 2;
    if (keys[first + half] < key) {
      first += half + 1;
      size -= half + 1;
    } else {
      size = half;
    }
  }
  return first;
}

/** Links an arc to the next of a tour, which starts with the first arc from the root; the last one to itself. */
template <typename Word>
__device__ inline void linkArc(const Workspace<Word>& at, unsigned count, unsigned root, unsigned i) {
  const unsigned head = low(at.arcs[i]);
  const unsigned twin = find(at.arcs, count, packed<Word>(head, high(at.arcs[i])));
  at.twins[i] = twin;
  if (twin + 1 < count && high(at.arcs[twin + 1]) == head) {
    at.links[i] = packed<Word>(twin + 1, 1);
  } else if (head == root) {
    at.links[i] = packed<Word>(i, 0);
  } else {
    at.links[i] = packed<Word>(find(at.arcs, count, packed<Word>(head, 0)), 1);
  }
}

/** Doubles the reach of a link. */
template <typename Word>
__device__ inline void doubleLink(const Word* links, Word* nextLinks, unsigned i) {
  const Word link = links[i];
  const Word next = links[high(link)];
  nextLinks[i] = packed<Word>(high(next), low(link) + low(next));
}

/** Notes which arc leads from a vertex to its parent: the opposite of the one that the tour takes first. */
template <typename Word>
__device__ inline void noteParent(const Workspace<Word>& at, unsigned root, unsigned i, int* parentArcs) {
  const unsigned twin = at.twins[i];
  if (low(at.links[i]) > low(at.links[twin])) parentArcs[low(at.arcs[i])] = twin;
  if (i == 0) parentArcs[root] = -1;
}

/** Links an arc to the next of a tour that takes the arcs of a vertex in order, that to its parent last. */
template <typename Word>
__device__ inline void relinkArc(const Workspace<Word>& at, unsigned count, unsigned i, const int* parentArcs) {
  const unsigned v = low(at.arcs[i]);
  const unsigned twin = at.twins[i], toParent = parentArcs[v];
  unsigned next = twin == toParent ? find(at.arcs, count, packed<Word>(v, 0)) : twin + 1;
  if (next == toParent) next++;
  if (next >= count || high(at.arcs[next]) != v) next = toParent;
  at.links[i] = next < count ? packed<Word>(next, 1) : packed<Word>(i, 0);
}

/** Marks an arc that the tour takes before its opposite: it leads away from the root. */
template <typename Word>
__device__ inline void markArc(const Workspace<Word>& at, unsigned count, unsigned i) {
  const unsigned left = low(at.links[i]);
  if (left > low(at.links[at.twins[i]])) at.setBit(count - 1 - left);
}

/** The depth and the preorder of the vertex that an arc leads to; the vertex itself is kept in `vertices`. */
template <typename Word>
__device__ inline void numberVertex(const Workspace<Word>& at, unsigned count, unsigned i, int* vertices) {
  const unsigned step = count - 1 - low(at.links[i]);
  if (!at.hasBit(step)) return;
  const unsigned preorder = at.bitsBefore(step) + 1;
  at.keys[preorder] = packed<Word>(2 * preorder - (step + 1), preorder);  // arcs away minus arcs back
  vertices[preorder] = low(at.arcs[i]);
}

/** The vertex at a position of the order. */
template <typename Word>
__device__ inline void placeVertex(const Workspace<Word>& at, unsigned root, unsigned i, const int* vertices,
                                   int* order) {
  const unsigned preorder = low(at.keys[i]);
  const unsigned v = preorder == 0 ? root : vertices[preorder];
  order[i] = (int)v;
  at.position[v] = i;
}

/** The position of the parent, from the arc that leads from it. */
template <typename Word>
__device__ inline void placeParent(const Workspace<Word>& at, unsigned i, int* parent) {
  const unsigned from = at.position[high(at.arcs[i])], to = at.position[low(at.arcs[i])];
  if (from < to) parent[to] = from;
}

/**
 * Number of bits set in the words before each, computed by a block.
 * @param sums 32 words of shared memory
 */
template <typename Word>
__device__ inline void countBits(const Workspace<Word>& at, unsigned* sums) {
  const unsigned thread = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  const unsigned each = (at.words + blockDim.x - 1) / blockDim.x;
  const unsigned first = min(at.words, threadIdx.x * each), end = min(at.words, first + each);
  unsigned own = 0;
  for (unsigned word = first; word < end; word++) own += __popc(at.bits[word]);
  unsigned total = own;  // of the warp up to here
  for (unsigned delta = 1; delta < 32; delta *= 2) {
    const unsigned before = __shfl_up_sync(0xffffffff, total, delta);
    if (thread >= delta) total += before;
  }
  if (thread == 31) sums[warp] = total;
  __syncthreads();
  unsigned before = total - own;
  for (unsigned w = 0; w < warp && w < warps; w++) before += sums[w];
  for (unsigned word = first; word < end; word++) {
    at.counts[word] = before;
    before += __popc(at.bits[word]);
  }
  __syncthreads();
}
