// Gradients of sums along trees. The formulas stand in plugin/cpu/tree_scan_gradient.ts.
#include "tree_passes.h"

// ddecay[v] = below[v] * above[p], over the channels of a part.
template <typename Decays>
INLINE void set_products(const Decays& ddecays, const float* below, const float* above, const Tree& tree, int i) {
  for_parts(ddecays, [&](int first, int, int part) {
    const float* const v = below + tree.row(i) + first;
    const float* const p = above + tree.row(tree.parent[i]) + first;
    ddecays.set(tree.order[i], part, [&](Channel d, int n) { return mul(load_first(v + d, n), load_first(p + d, n)); });
  });
}

// all: both directions of each edge, from the sums below it and what lies beyond it.
template <typename Decays>
static void gradient_of_whole_tree(const float* x, const Decays& decays, const float* y, const float* dy, float* dx,
                                   const Decays& ddecays, float* subtree_x, const Tree& tree) {
  scan_up(subtree_x, x, decays, tree);
  scan_up(dx, dy, decays, tree);
  for (int i = 1; i < tree.vertices; i++) {
    for_parts(decays, [&](int first, int, int part) {
      const size_t v = tree.row(i) + first, p = tree.row(tree.parent[i]) + first;
      const auto decay = decays.of(tree.order[i], part);
      ddecays.set(tree.order[i], part, [&](Channel d, int n) {
        const v128_t w = decay(d, n);
        const v128_t below_x = load_first(subtree_x + v + d, n), below_dy = load_first(dx + v + d, n);
        const v128_t beyond_x = sub(load_first(y + p + d, n), mul(w, below_x));
        const v128_t beyond_dy = sub(load_first(dx + p + d, n), mul(w, below_dy));
        store_first(dx + v + d, add(below_dy, mul(w, beyond_dy)), n);
        return add(mul(below_dy, beyond_x), mul(below_x, beyond_dy));
      });
    });
  }
}

EXPORT void tree_scan_gradient(const float* x,         // [B, V, D]
                               const float* decay,     // [B, V, G]
                               const int32_t* order,   // [B, V] vertex ids in breadth-first order
                               const int32_t* parent,  // [B, V] positions in `order`
                               const float* y,         // [B, V, D], output of the scan
                               const float* dy,        // [B, V, D], its gradient
                               float* dx,              // [B, V, D], the first result
                               float* ddecay,          // [B, V, G], the second result
                               float* scratch,         // [V, D], used for the whole tree
                               int batch,              // B
                               int vertices,           // V
                               int channels,           // D
                               int groups,             // G
                               int aggregate           // an Aggregate
) {
  for (int b = 0; b < batch; b++) {
    const Tree tree = {order + b * vertices, parent + b * vertices, vertices, channels};
    const size_t at = size_t(b) * vertices * channels;
    const size_t edges = size_t(b) * vertices * groups;
    with_decays(decay + edges, groups, channels, [&](auto decays) {
      auto ddecays = decays;
      ddecays.values = ddecay + edges;
      for_channels(ddecays.values + size_t(tree.order[0]) * groups, groups, [](int, int) { return zero(); });
      if (aggregate == ALL) {
        gradient_of_whole_tree(x + at, decays, y + at, dy + at, dx + at, ddecays, scratch, tree);
      } else if (aggregate == LEAVES) {
        scan_up(dx + at, dy + at, decays, tree);
        for (int i = 1; i < vertices; i++) set_products(ddecays, dx + at, y + at, tree, i);
      } else {
        spread_down(dx + at, dy + at, decays, tree, [&](int i) { set_products(ddecays, y + at, dx + at, tree, i); });
      }
    });
  }
}
