// Two passes along a tree in breadth-first order, O(V * D).
#include "tree_passes.h"

EXPORT void tree_scan(const float* x,         // [B, V, D]
                      const float* decay,     // [B, V, D], decay[v] on the edge from v to its parent
                      const int32_t* order,   // [B, V] vertex ids in breadth-first order
                      const int32_t* parent,  // [B, V] positions in `order`
                      float* y,               // [B, V, D]
                      int batch,              // B
                      int vertices,           // V
                      int channels,           // D
                      int whole_tree          // 1: sum over the whole tree; 0: over the subtree of each vertex
) {
  for (int b = 0; b < batch; b++) {
    const Tree tree = {order + b * vertices, parent + b * vertices, vertices, channels};
    const size_t at = size_t(b) * vertices * channels;
    scan_up(y + at, x + at, decay + at, tree);
    if (whole_tree) scan_down(y + at, decay + at, tree);
  }
}
