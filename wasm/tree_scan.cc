// One pass or two along a tree in breadth-first order, O(V * D).
#include "tree_passes.h"

EXPORT void tree_scan(const float* x,         // [B, V, D]
                      const float* decay,     // [B, V, G], decay[v] on the edge from v to its parent
                      const int32_t* order,   // [B, V] vertex ids in breadth-first order
                      const int32_t* parent,  // [B, V] positions in `order`
                      float* y,               // [B, V, D]
                      uint8_t* is_leaf,       // [V] scratch, used by ALL
                      int batch,              // B
                      int vertices,           // V
                      int channels,           // D
                      int groups,             // G
                      int aggregate           // an Aggregate
) {
  for (int b = 0; b < batch; b++) {
    const Tree tree = {order + b * vertices, parent + b * vertices, vertices, channels};
    const size_t at = size_t(b) * vertices * channels;
    with_decays(decay + size_t(b) * vertices * groups, groups, channels, [&](const auto& decays) {
      if (aggregate == LEAVES) {
        spread_down(y + at, x + at, decays, tree, [](int) {});
      } else {
        scan_up(y + at, x + at, decays, tree, aggregate == ALL ? is_leaf : nullptr);
        if (aggregate == ALL) scan_down(y + at, x + at, decays, tree, is_leaf);
      }
    });
  }
}
