// Copies values from parents to their children along a tree, and sums gradients over children. The root is its own
// parent.
#include <cstring>

#include "simd.h"

EXPORT void at_parent(const float* x,         // [B, V, D]
                      const int32_t* order,   // [B, V] vertex ids in breadth-first order
                      const int32_t* parent,  // [B, V] positions in `order`
                      float* y,               // [B, V, D], the result
                      int batch,              // B
                      int vertices,           // V
                      int channels            // D
) {
  for (int b = 0; b < batch; b++, order += vertices, parent += vertices) {
    for (int i = 0; i < vertices; i++) {
      copy_row(y + size_t(order[i]) * channels, x + size_t(order[parent[i]]) * channels, channels);
    }
    x += size_t(vertices) * channels;
    y += size_t(vertices) * channels;
  }
}

EXPORT void at_parent_gradient(const float* dy,        // [B, V, D]
                               const int32_t* order,   // [B, V] vertex ids in breadth-first order
                               const int32_t* parent,  // [B, V] positions in `order`
                               float* dx,              // [B, V, D], the result
                               int batch,              // B
                               int vertices,           // V
                               int channels            // D
) {
  memset(dx, 0, sizeof(float) * batch * vertices * channels);
  for (int b = 0; b < batch; b++, order += vertices, parent += vertices) {
    for (int i = 0; i < vertices; i++) {
      const float* const from = dy + size_t(order[i]) * channels;
      float* const to = dx + size_t(order[parent[i]]) * channels;
      for_channels(to, channels, [&](Channel d, int n) { return add(load_first(to + d, n), load_first(from + d, n)); });
    }
    dy += size_t(vertices) * channels;
    dx += size_t(vertices) * channels;
  }
}
