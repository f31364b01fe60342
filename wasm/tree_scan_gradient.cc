// Gradients of sums along trees. The formulas are in plugin/cpu/tree_scan_gradient.ts.
#include "tree_passes.h"

// ddecay[v] = below[v] * above[p], over the channels of a part.
template <typename Decays>
INLINE void set_products(const Decays& ddecays, const float* below, const float* above, const Tree& tree,
                         const Edge& edge) {
  for_parts(ddecays, [&](int first, int, int part) {
    const float* const v = below + tree.row(edge.child()) + first;
    const float* const p = above + tree.row(edge.parent()) + first;
    ddecays.set(edge.child(), part, [&](Channel d, int n) { return mul(load_first(v + d, n), load_first(p + d, n)); });
  });
}

// all: both directions of each edge, from the sums below it and beyond it.
template <typename Decays>
static void gradient_of_whole_tree(const float* x, const Decays& decays, const float* y, const float* dy, float* dx,
                                   const Decays& ddecays, float* subtree_x, const Tree& tree) {
  scan_up(subtree_x, x, decays, tree);
  scan_up(dx, dy, decays, tree);
  tree.edges.down(
      [&](int from, int to) {
        tree.touch(from, to, subtree_x, dx, y);
        touch_decays(decays, tree, from, to);
        touch_decays(ddecays, tree, from, to);
      },
      [&](const Edge& edge) {
        for_parts(decays, [&](int first, int, int part) {
          const size_t v = tree.row(edge.child()) + first, p = tree.row(edge.parent()) + first;
          const auto decay = decays.of(edge.child(), part);
          ddecays.set(edge.child(), part, [&](Channel d, int n) {
            const v128_t w = decay(d, n);
            const v128_t below_x = load_first(subtree_x + v + d, n), below_dy = load_first(dx + v + d, n);
            const v128_t beyond_x = sub(load_first(y + p + d, n), mul(w, below_x));
            const v128_t beyond_dy = sub(load_first(dx + p + d, n), mul(w, below_dy));
            store_first(dx + v + d, add(below_dy, mul(w, beyond_dy)), n);
            return add(mul(below_dy, beyond_x), mul(below_x, beyond_dy));
          });
        });
      });
}

EXPORT void tree_scan_gradient(const float* x,        // [V, stride], D channels of it, as all values
                               const float* decay,    // [V, decay_stride], G of it
                               const int32_t* edges,  // of tree_edges.cc
                               int shift,             // of its cells
                               const float* y,        // output of the scan
                               const float* dy,       // its gradient
                               float* dx,             // the first result
                               float* ddecay,         // [V, decay_stride], G of it, the second result
                               float* scratch,        // [V, stride], D channels of it, used for the whole tree
                               int vertices,          // V
                               int stride,
                               int channels,  // D
                               int decay_stride,
                               int groups,    // G
                               int aggregate  // an Aggregate
) {
  const Tree tree = {Edges(edges, vertices, shift), stride, channels};
  with_decays({decay, decay_stride, groups}, channels, [&](auto decays) {
    auto ddecays = decays;
    ddecays.values = ddecay;
    for_channels(ddecay + size_t(tree.edges.root()) * decay_stride, groups, [](int, int) { return zero(); });
    if (aggregate == ALL) {
      gradient_of_whole_tree(x, decays, y, dy, dx, ddecays, scratch, tree);
    } else if (aggregate == LEAVES) {
      scan_up(dx, dy, decays, tree);
      tree.edges.down([&](int from, int to) { tree.touch(from, to, dx, y); },
                      [&](const Edge& edge) { set_products(ddecays, dx, y, tree, edge); });
    } else {
      spread_down(dx, dy, decays, tree, [&](const Edge& edge) { set_products(ddecays, y, dx, tree, edge); });
    }
  });
}
