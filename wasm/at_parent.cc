// Copies values from parents to their children along a tree, and sums gradients over children. The root is its own
// parent.
#include <cstring>

#include "simd.h"

// Visits each vertex: the positions in [B, V, D] of its row and of its parent's.
template <typename Visit>
INLINE void for_vertices(const int32_t* order, const int32_t* parent, int batch, int vertices, int channels,
                         const Visit& visit) {
  for (int b = 0; b < batch; b++, order += vertices, parent += vertices) {
    const size_t first = size_t(b) * vertices;
    for (int i = 0; i < vertices; i++) {
      visit((first + order[i]) * channels, (first + order[parent[i]]) * channels);
    }
  }
}

EXPORT void at_parent(const float* x,         // [B, V, D]
                      const int32_t* order,   // [B, V] vertex ids in breadth-first order
                      const int32_t* parent,  // [B, V] positions in `order`
                      float* y,               // [B, V, D], the result
                      int batch,              // B
                      int vertices,           // V
                      int channels            // D
) {
  for_vertices(order, parent, batch, vertices, channels,
               [&](size_t of_vertex, size_t of_parent) { copy_row(y + of_vertex, x + of_parent, channels); });
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
  for_vertices(order, parent, batch, vertices, channels, [&](size_t of_vertex, size_t of_parent) {
    const float* const from = dy + of_vertex;
    float* const to = dx + of_parent;
    for_channels(to, channels, [&](Channel d, int n) { return add(load_first(to + d, n), load_first(from + d, n)); });
  });
}
