// The passes that tree scans and their gradients are made of (GrootVL, algorithm 1); values are [V, D] by vertex id.
#pragma once
#include "simd.h"

struct Tree {
  const int32_t* order;   // vertex ids in breadth-first order
  const int32_t* parent;  // positions in `order`
  int vertices;
  int channels;

  size_t row(int position) const { return size_t(order[position]) * channels; }
};

// y = base + decay[c] * up[c], the sum over one child or two.
INLINE void gather_one(float* y, const float* base, const float* decay, const float* up, int channels) {
  for_channels(y, channels, [&](int d, int n) {
    return add(load_first(base + d, n), mul(load_first(decay + d, n), load_first(up + d, n)));
  });
}

INLINE void gather_two(float* y, const float* base, const float* decay_a, const float* up_a, const float* decay_b,
                       const float* up_b, int channels) {
  for_channels(y, channels, [&](int d, int n) {
    const v128_t with_a = add(load_first(base + d, n), mul(load_first(decay_a + d, n), load_first(up_a + d, n)));
    return add(with_a, mul(load_first(decay_b + d, n), load_first(up_b + d, n)));
  });
}

INLINE void copy_row(float* y, const float* x, int channels) {
  for_channels(y, channels, [&](int d, int n) { return load_first(x + d, n); });
}

// Leaves to root: y[v] = x[v] + sum over children c of decay[c] * y[c]. Each row is written once, from its children,
// which stand side by side.
[[maybe_unused]] static void scan_up(float* y, const float* x, const float* decay, const Tree& tree) {
  const int channels = tree.channels;
  int end = tree.vertices;  // children of later positions start here
  for (int i = tree.vertices - 1; i >= 0; i--) {
    int child = end;
    while (child > 1 && tree.parent[child - 1] == i) child--;
    const size_t v = tree.row(i);
    int remaining = end - child;
    end = child;
    if (remaining == 0) {
      copy_row(y + v, x + v, channels);
      continue;
    }
    const float* base = x + v;
    for (; remaining >= 2; remaining -= 2, child += 2) {
      const size_t a = tree.row(child), b = tree.row(child + 1);
      gather_two(y + v, base, decay + a, y + a, decay + b, y + b, channels);
      base = y + v;
    }
    if (remaining == 1) {
      const size_t c = tree.row(child);
      gather_one(y + v, base, decay + c, y + c, channels);
    }
  }
}

// Root to leaves, after scan_up, in place: what reaches v through its parent p is all that p has, less what p has
// from v itself. y[v] += decay[v] * (y[p] - decay[v] * y[v]).
[[maybe_unused]] static void scan_down(float* y, const float* decay, const Tree& tree) {
  for (int i = 1; i < tree.vertices; i++) {
    float* const own = y + tree.row(i);
    const float* const up = y + tree.row(tree.parent[i]);
    const float* const w = decay + tree.row(i);
    for_channels(own, tree.channels, [&](int d, int n) {
      const v128_t decay_d = load_first(w + d, n), own_d = load_first(own + d, n);
      return add(own_d, mul(decay_d, sub(load_first(up + d, n), mul(decay_d, own_d))));
    });
  }
}

// Root to leaves, in place: values[v] += decay[v] * values[p], the transpose of scan_up.
[[maybe_unused]] static void spread_down(float* values, const float* decay, const Tree& tree) {
  for (int i = 1; i < tree.vertices; i++) {
    float* const own = values + tree.row(i);
    gather_one(own, own, decay + tree.row(i), values + tree.row(tree.parent[i]), tree.channels);
  }
}
