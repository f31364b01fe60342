// Builds the list of edges of tree_edges.h in O(V).
#include "tree_edges.h"

static int bits_of(int number) { return number == 0 ? 0 : 32 - __builtin_clz(number); }

// A block is identified by its last cell and its level, 0 for a cell.
static int levels_of(int vertices, int shift) { return bits_of(Edges::cells_of(vertices, shift) - 1) + 1; }

EXPORT int tree_edges_bytes(int vertices, int shift) { return 4 * Edges::numbers_of(vertices, shift); }

EXPORT int tree_edges_scratch(int vertices, int shift) {
  const int blocks = Edges::cells_of(vertices, shift) * levels_of(vertices, shift);
  return 4 * (4 * vertices + blocks);
}

EXPORT void tree_edges(const int32_t* order,   // [V] vertex ids in breadth-first order
                       const int32_t* parent,  // [V] positions in `order`
                       int32_t* table,         // the result: see Edges
                       int32_t* scratch,       // see tree_edges_scratch
                       int vertices,           // V
                       int shift               // a cell has 2^shift vertices
) {
  int32_t* const first = scratch;            // cell of the subtree, by position; then whether a child was visited
  int32_t* const last = first + vertices;    // cell of the subtree
  int32_t* const block = last + vertices;    // of the edge to the parent
  int32_t* const sorted = block + vertices;  // positions
  int32_t* const ends = sorted + vertices;   // of blocks
  const int cells = Edges::cells_of(vertices, shift), levels = levels_of(vertices, shift);

  for (int i = 0; i < vertices; i++) first[i] = last[i] = order[i] >> shift;
  for (int b = 0; b < cells * levels; b++) ends[b] = 0;
  for (int i = vertices - 1; i > 0; i--) {
    const int p = parent[i];
    first[p] = first[p] < first[i] ? first[p] : first[i];
    last[p] = last[p] > last[i] ? last[p] : last[i];
    const int own = order[p] >> shift;
    const int from = first[i] < own ? first[i] : own, to = last[i] > own ? last[i] : own;
    const int level = bits_of(from ^ to), end = to | ((1 << level) - 1);
    block[i] = (end < cells ? end : cells - 1) * levels + level;
    ends[block[i]]++;
  }
  int32_t* const cell_ends = table + 2 * (vertices - 1);
  for (int b = 0, end = 0; b < cells * levels; b++) {
    const int start = end;
    end += ends[b];
    ends[b] = start;
    cell_ends[b / levels] = end;
  }
  for (int i = vertices - 1; i > 0; i--) sorted[ends[block[i]]++] = i;

  Edge* const edges = reinterpret_cast<Edge*>(table);
  int32_t* const has_sums = first;
  for (int i = 0; i < vertices; i++) has_sums[i] = 0;
  for (int k = 0; k + 1 < vertices; k++) {
    const int i = sorted[k], p = parent[i];
    edges[k] = {order[i] << 1 | !has_sums[i], order[p] << 1 | !has_sums[p]};
    has_sums[p] = 1;
  }
}
