// Gradients of sums along trees. The formulas stand in plugin/cpu/tree_scan_gradient.ts.
#include "tree_passes.h"

static void clear_row(float* y, int channels) {
  for_channels(y, channels, [](int, int) { return zero(); });
}

// root: dx = dy spread from the root to the leaves; ddecay[v] = y[v] * dx[p].
static void gradient_of_subtrees(const float* decay, const float* y, const float* dy, float* dx, float* ddecay,
                                 const Tree& tree) {
  const int channels = tree.channels;
  copy_row(dx + tree.row(0), dy + tree.row(0), channels);
  for (int i = 1; i < tree.vertices; i++) {
    const size_t v = tree.row(i);
    const float* const above = dx + tree.row(tree.parent[i]);
    for_channels(ddecay + v, channels,
                 [&](int d, int n) { return mul(load_first(y + v + d, n), load_first(above + d, n)); });
    gather_one(dx + v, dy + v, decay + v, above, channels);
  }
}

// all: both directions of each edge, from the sums below it and what lies beyond it.
static void gradient_of_whole_tree(const float* x, const float* decay, const float* y, const float* dy, float* dx,
                                   float* ddecay, float* subtree_x, const Tree& tree) {
  scan_up(subtree_x, x, decay, tree);
  scan_up(dx, dy, decay, tree);
  for (int i = 1; i < tree.vertices; i++) {
    const size_t v = tree.row(i), p = tree.row(tree.parent[i]);
    for_channels(ddecay + v, tree.channels, [&](int d, int n) {
      const v128_t w = load_first(decay + v + d, n);
      const v128_t below_x = load_first(subtree_x + v + d, n), below_dy = load_first(dx + v + d, n);
      const v128_t beyond_x = sub(load_first(y + p + d, n), mul(w, below_x));
      const v128_t beyond_dy = sub(load_first(dx + p + d, n), mul(w, below_dy));
      store_first(dx + v + d, add(below_dy, mul(w, beyond_dy)), n);
      return add(mul(below_dy, beyond_x), mul(below_x, beyond_dy));
    });
  }
}

EXPORT void tree_scan_gradient(const float* x,         // [B, V, D]
                               const float* decay,     // [B, V, D]
                               const int32_t* order,   // [B, V] vertex ids in breadth-first order
                               const int32_t* parent,  // [B, V] positions in `order`
                               const float* y,         // [B, V, D], output of the scan
                               const float* dy,        // [B, V, D], its gradient
                               float* dx,              // [B, V, D], the first result
                               float* ddecay,          // [B, V, D], the second result
                               float* scratch,         // [V, D], used for the whole tree
                               int batch,              // B
                               int vertices,           // V
                               int channels,           // D
                               int whole_tree          // 1: the scan summed over the whole tree; 0: over subtrees
) {
  for (int b = 0; b < batch; b++) {
    const Tree tree = {order + b * vertices, parent + b * vertices, vertices, channels};
    const size_t at = size_t(b) * vertices * channels;
    clear_row(ddecay + at + tree.row(0), channels);
    if (whole_tree) {
      gradient_of_whole_tree(x + at, decay + at, y + at, dy + at, dx + at, ddecay + at, scratch, tree);
    } else {
      gradient_of_subtrees(decay + at, y + at, dy + at, dx + at, ddecay + at, tree);
    }
  }
}
