// One or two passes along a tree, O(V * D).
#include "tree_passes.h"

EXPORT void tree_scan(const float* x,        // [V, stride], D channels of it
                      const float* decay,    // [V, decay_stride], G of it, decay[v] on the edge from v to its parent
                      const int32_t* edges,  // of tree_edges.cc
                      int shift,             // of its cells
                      float* y,              // [V, stride], D channels of it, the result
                      int vertices,          // V
                      int stride,
                      int channels,  // D
                      int decay_stride,
                      int groups,    // G
                      int aggregate  // an Aggregate
) {
  const Tree tree = {Edges(edges, vertices, shift), stride, channels};
  with_decays({decay, decay_stride, groups}, channels, [&](const auto& decays) {
    if (aggregate == LEAVES) {
      spread_down(y, x, decays, tree, [](const Edge&) {});
    } else if (aggregate == ROOT) {
      scan_up(y, x, decays, tree);
    } else {
      scan_all(y, x, decays, tree);
    }
  });
}
