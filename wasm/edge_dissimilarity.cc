// Weights of edges, and their gradient: the sums and gradients of distances.h; the last step of the cosine is in
// float64.
#include "distances.h"

// Norms of rows, clamped: the divisors of the cosine.
EXPORT void edge_norms(const float* features,  // [rows, D]
                       double* norms,          // [rows], the result
                       int rows,
                       int channels,         // D
                       double smallest_norm  // norms are clamped here
) {
  for (int v = 0; v < rows; v++) norms[v] = clamped(norm_of(features + size_t(v) * channels, channels), smallest_norm);
}

template <Metric metric>
static void weigh(const float* features, const int32_t* edges, float* weights, const double* norms, int count,
                  int channels) {
  for (int e = 0; e < count; e++) {
    const int u = edges[2 * e], v = edges[2 * e + 1];
    const float total = sum<metric>(features + size_t(u) * channels, features + size_t(v) * channels, channels);
    weights[e] = metric == COSINE ? float(-double(total) / (norms[u] * norms[v])) : total;
  }
}

// Edges from `first` to `end` of all images, one image after another.
EXPORT void edge_dissimilarity(const float* features,  // [B, V, D]
                               const int32_t* edges,   // [E, 2]
                               float* weights,         // [B, E], the result
                               const double* norms,    // [B, V], of edge_norms, used by the cosine
                               int first, int end,
                               int vertices,   // V
                               int num_edges,  // E
                               int channels,   // D
                               int metric      // a Metric
) {
  while (first < end) {
    const int b = first / num_edges, e = first % num_edges;
    const int left = end - first, count = left < num_edges - e ? left : num_edges - e;
    const float* const image = features + size_t(b) * vertices * channels;
    const double* const of_image = norms + size_t(b) * vertices;
    if (metric == EUCLIDEAN) {
      weigh<EUCLIDEAN>(image, edges + 2 * e, weights + first, of_image, count, channels);
    } else if (metric == MANHATTAN) {
      weigh<MANHATTAN>(image, edges + 2 * e, weights + first, of_image, count, channels);
    } else {
      weigh<COSINE>(image, edges + 2 * e, weights + first, of_image, count, channels);
    }
    first += count;
  }
}

template <Metric metric>
static void add_gradients(const float* features, const int32_t* edges, const float* dy, float* dfeatures,
                          const double* norms, int num_edges, int channels, double smallest_norm) {
  for (int e = 0; e < num_edges; e++) {
    const auto end = [&](int v) -> End {
      const size_t row = size_t(v) * channels;
      return {features + row, dfeatures + row, metric == COSINE ? norms[v] : 0};
    };
    add_slopes<metric>(end(edges[2 * e]), end(edges[2 * e + 1]), channels, dy[e], smallest_norm);
  }
}

EXPORT void edge_dissimilarity_gradient(const float* features,  // [B, V, D]
                                        const int32_t* edges,   // [E, 2]
                                        const float* dy,        // [B, E]
                                        float* dfeatures,       // [B, V, D], the result
                                        double* norms,          // [V] scratch, used by the cosine
                                        int batch,              // B
                                        int vertices,           // V
                                        int num_edges,          // E
                                        int channels,           // D
                                        int metric,             // a Metric
                                        double smallest_norm    // norms are clamped here
) {
  const size_t size = size_t(vertices) * channels;
  for (int b = 0; b < batch; b++, features += size, dfeatures += size, dy += num_edges) {
    for_channels(dfeatures, int(size), [](int, int) { return zero(); });
    const auto add = [&](auto add_all) {
      add_all(features, edges, dy, dfeatures, norms, num_edges, channels, smallest_norm);
    };
    if (metric == EUCLIDEAN) {
      add(add_gradients<EUCLIDEAN>);
    } else if (metric == MANHATTAN) {
      add(add_gradients<MANHATTAN>);
    } else {
      for (int v = 0; v < vertices; v++) norms[v] = norm_of(features + size_t(v) * channels, channels);
      add(add_gradients<COSINE>);
    }
  }
}
