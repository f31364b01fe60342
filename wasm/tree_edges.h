// The edges of a tree in the order in which passes visit them: on the way up, the edges below a vertex before the edge
// to its parent; on the way down, the reverse. A pass reads this one list and has no branch that depends on the tree,
// which processors could not predict.
//
// Values that fit the cache are visited breadth-first. In a large graph, neighbours in that order are far apart in
// memory, where reading rows in random order takes four times as long as in sequence. There the vertex ids are divided
// into cells of 2^shift, whose rows are contiguous; cells are paired, pairs are paired, and so on. An edge belongs to
// the smallest of these blocks that contains both its ends and everything below it. On the way up the blocks of the
// first half come first, then those of the second, then the edges of the whole. Rows are read in memory order when
// their cell begins, and most edges are visited while their rows are in the cache.
#pragma once
#include "simd.h"

// Bits 0 are set if the sums of the vertex are just x when the edge is visited on the way up: the child is a leaf, or
// it is the first of its parent. For the child this also holds on the way down.
struct Edge {
  int32_t child_bits;
  int32_t parent_bits;

  INLINE_MEMBER int child() const { return child_bits >> 1; }
  INLINE_MEMBER int parent() const { return parent_bits >> 1; }
  INLINE_MEMBER int is_leaf() const { return child_bits & 1; }
  INLINE_MEMBER int is_first() const { return parent_bits & 1; }
};

// Cells that are read at a time on the way down: their edges come last there, and most are visited from the cache.
constexpr int CELLS_DOWN = 4;

struct Edges {
  const Edge* edges;    // [V - 1] in the order of the way up
  const int32_t* ends;  // [cells] of edges, for each cell with the blocks that end with it
  int vertices;         // V
  int shift;

  static int cells_of(int vertices, int shift) { return ((vertices - 1) >> shift) + 1; }
  static int numbers_of(int vertices, int shift) { return 2 * (vertices - 1) + cells_of(vertices, shift); }

  Edges(const int32_t* table, int vertices, int shift)
      : edges(reinterpret_cast<const Edge*>(table)),
        ends(table + 2 * (vertices - 1)),
        vertices(vertices),
        shift(shift) {}

  int cells() const { return cells_of(vertices, shift); }
  int root() const { return vertices > 1 ? edges[vertices - 2].parent() : 0; }

  // Calls visit(edge), and before the edges of a cell prepare(first vertex, end).
  template <typename Prepare, typename Visit>
  INLINE_MEMBER void up(const Prepare& prepare, const Visit& visit) const {
    for (int cell = 0, i = 0; cell < cells(); cell++) {
      prepare(cell << shift, end_of(cell));
      for (; i < ends[cell]; i++) visit(edges[i]);
    }
  }
  template <typename Prepare, typename Visit>
  INLINE_MEMBER void down(const Prepare& prepare, const Visit& visit) const {
    for (int cell = cells() - 1, i = vertices - 2; cell >= 0; cell--) {
      const int in_group = cell % CELLS_DOWN;
      if (in_group == CELLS_DOWN - 1 || cell == cells() - 1) prepare((cell - in_group) << shift, end_of(cell));
      for (const int start = cell > 0 ? ends[cell - 1] : 0; i >= start; i--) visit(edges[i]);
    }
  }

 private:
  INLINE_MEMBER int end_of(int cell) const { return cell + 1 < cells() ? (cell + 1) << shift : vertices; }
};
