/** Sums along trees: tree_scan.h. */
#include "kernel.h"
#include "tree_scan.h"

template <int WARPS, int AHEAD, bool WIDE, bool SHARED>
__device__ inline void scanFromRoot(const TreeBlock<SHARED>& block, const float* x, const float* decay, float* y) {
  const Rows<WARPS, AHEAD, 1, SHARED> vertices = {block, decay, {x}};
  vertices.down([&](int position, const Row<1>& row) {
    float sum = row.value[0];
    if (position > 0 && block.inside) {
      sum += row.decay * (WIDE ? y[block.placeOf(row.parent)] : block.state(row.parent));
    }
    if (block.inside) y[row.place] = sum;
    if (!WIDE) block.state(position) = sum;
  });
}

template <int WARPS, int AHEAD, bool WIDE, bool SHARED>
__device__ inline void scanTree(const TreeBlock<SHARED>& block, const float* x, const float* decay, float* y,
                                int aggregate) {
  if (SHARED && aggregate == LEAVES) {
    scanFromRoot<WARPS, AHEAD, WIDE>(block, x, decay, y);
    return;
  }
  const Rows<WARPS, AHEAD, 1, SHARED> subtrees = {block, decay, {x}};
  subtrees.up([&](int position, const Row<1>& row) {
    float sum = row.value[0];
    for (int child = row.firstChild; child < row.endOfChildren; child++) {
      if (!WIDE) {
        sum += block.state(child);
      } else if (block.inside) {
        sum += decay[block.decayOf(block.order[child])] * y[block.placeOf(child)];
      }
    }
    if (block.inside) y[row.place] = sum;
    if (!WIDE) block.state(position) = row.decay * sum;
  });
  if (aggregate == ROOT) return;
  const Rows<WARPS, AHEAD, 1, SHARED> vertices = {block, decay, {y}};
  vertices.down([&](int position, const Row<1>& row) {
    float sum = row.value[0];
    if (position > 0 && block.inside) {
      // A vertex receives through its parent the total of the parent minus the part that came from the vertex itself.
      const float above = WIDE ? y[block.placeOf(row.parent)] : block.state(row.parent);
      sum += row.decay * (above - row.decay * sum);
      y[row.place] = sum;
    }
    if (!WIDE) block.state(position) = sum;
  });
}

#define SCAN(WARPS, AHEAD, SHARED, groups)                                                                \
  DYNAMIC_SHARED(float, ring);                                                                            \
  const TreeBlock<SHARED> block(order, parent, schedules, numVertices, channels, groups, ring, ringRows); \
  x += block.first, decay += block.firstDecay, y += block.first;                                          \
  if (block.isWide()) {                                                                                   \
    scanTree<WARPS, AHEAD, true>(block, x, decay, y, aggregate);                                          \
  } else {                                                                                                \
    scanTree<WARPS, AHEAD, false>(block, x, decay, y, aggregate);                                         \
  }
#define SCAN_TREE(WARPS, AHEAD) SCAN(WARPS, AHEAD, false, channels)
#define SCAN_SHARED(WARPS, AHEAD) SCAN(WARPS, AHEAD, true, groups)

/**
 * For one decay per channel, without the aggregate `leaves`, and for shared decays: in a single kernel, registers would
 * spill.
 */
TREE_KERNELS(tree_scan, SCAN_TREE, const float* __restrict__ x, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const int* __restrict__ schedules, float* y,
             int ringRows, int numVertices, int channels, int aggregate)

TREE_KERNELS(tree_scan_shared, SCAN_SHARED, const float* __restrict__ x, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const int* __restrict__ schedules, float* y,
             int ringRows, int numVertices, int channels, int aggregate, int groups)
