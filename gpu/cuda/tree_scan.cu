/** Sums along trees: tree_scan.h. */
#include "kernel.h"
#include "tree_scan.h"

template <int WARPS, int AHEAD, bool WIDE>
__device__ inline void scanTree(const TreeBlock& block, const float* x, const float* decay, float* y, bool wholeTree) {
  const Rows<WARPS, AHEAD, 1> subtrees = {block, decay, {x}};
  subtrees.up([&](int position, const Row<1>& row) {
    float sum = row.value[0];
    for (int child = row.firstChild; child < row.endOfChildren; child++) {
      const unsigned place = WIDE && block.inside ? block.placeOf(child) : 0;
      sum += !WIDE ? block.state(child) : block.inside ? decay[place] * y[place] : 0.0f;
    }
    if (block.inside) y[row.place] = sum;
    if (!WIDE) block.state(position) = row.decay * sum;
  });
  if (!wholeTree) return;
  const Rows<WARPS, AHEAD, 1> vertices = {block, decay, {y}};
  vertices.down([&](int position, const Row<1>& row) {
    float sum = row.value[0];
    if (position > 0 && block.inside) {
      // What reaches a vertex through its parent is all that the parent has, less what it has from here.
      const float above = WIDE ? y[block.placeOf(row.parent)] : block.state(row.parent);
      sum += row.decay * (above - row.decay * sum);
      y[row.place] = sum;
    }
    if (!WIDE) block.state(position) = sum;
  });
}

#define SCAN_TREE(WARPS, AHEAD)                                                           \
  DYNAMIC_SHARED(float, ring);                                                            \
  const TreeBlock block(order, parent, schedules, numVertices, channels, ring, ringRows); \
  x += block.first, decay += block.first, y += block.first;                               \
  if (block.isWide()) {                                                                   \
    scanTree<WARPS, AHEAD, true>(block, x, decay, y, wholeTree);                          \
  } else {                                                                                \
    scanTree<WARPS, AHEAD, false>(block, x, decay, y, wholeTree);                         \
  }

TREE_KERNELS(tree_scan, SCAN_TREE, const float* __restrict__ x, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const int* __restrict__ schedules, float* y,
             int ringRows, int numVertices, int channels, int wholeTree)
