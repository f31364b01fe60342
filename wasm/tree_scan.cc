// One pass or two along a tree in breadth-first order, O(V * D).
#include "tree_passes.h"

EXPORT void tree_scan(const float* x,         // [V, stride], D channels of it
                      const float* decay,     // [V, decay_stride], G of it, decay[v] on the edge from v to its parent
                      const int32_t* order,   // [V] vertex ids in breadth-first order
                      const int32_t* parent,  // [V] positions in `order`
                      float* y,               // [V, stride], D channels of it, the result
                      uint8_t* is_leaf,       // [V] scratch, used by ALL
                      int vertices,           // V
                      int stride,
                      int channels,  // D
                      int decay_stride,
                      int groups,    // G
                      int aggregate  // an Aggregate
) {
  const Tree tree = {order, parent, vertices, stride, channels};
  with_decays({decay, decay_stride, groups}, channels, [&](const auto& decays) {
    if (aggregate == LEAVES) {
      spread_down(y, x, decays, tree, [](int) {});
    } else {
      scan_up(y, x, decays, tree, aggregate == ALL ? is_leaf : nullptr);
      if (aggregate == ALL) scan_down(y, x, decays, tree, is_leaf);
    }
  });
}
