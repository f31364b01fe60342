// Weights of edges, and their gradient: the sums and slopes of distances.h; the cosine is finished in float64.
#include "distances.h"

template <Metric metric>
static void weigh(const float* features, const int32_t* edges, float* weights, int num_edges, int channels) {
  for (int e = 0; e < num_edges; e++) {
    const float* u = features + size_t(edges[2 * e]) * channels;
    const float* v = features + size_t(edges[2 * e + 1]) * channels;
    weights[e] = sum<metric>(u, v, channels);
  }
}

EXPORT void edge_dissimilarity(const float* features,  // [B, V, D]
                               const int32_t* edges,   // [E, 2]
                               float* weights,         // [B, E], the result
                               double* norms,          // [V] scratch, used by the cosine
                               int batch,              // B
                               int vertices,           // V
                               int num_edges,          // E
                               int channels,           // D
                               int metric,             // 0 cosine, 1 euclidean, 2 manhattan
                               double smallest_norm    // norms are clamped here
) {
  for (int b = 0; b < batch; b++, features += size_t(vertices) * channels, weights += num_edges) {
    if (metric == EUCLIDEAN) {
      weigh<EUCLIDEAN>(features, edges, weights, num_edges, channels);
    } else if (metric == MANHATTAN) {
      weigh<MANHATTAN>(features, edges, weights, num_edges, channels);
    } else {
      for (int v = 0; v < vertices; v++) {
        const float* row = features + size_t(v) * channels;
        norms[v] = clamped(norm_of(row, channels), smallest_norm);
      }
      weigh<COSINE>(features, edges, weights, num_edges, channels);
      for (int e = 0; e < num_edges; e++) {
        weights[e] = float(-double(weights[e]) / (norms[edges[2 * e]] * norms[edges[2 * e + 1]]));
      }
    }
  }
}

template <Metric metric>
static void add_gradients(const float* features,
                          const int32_t* edges,
                          const float* dy,
                          float* dfeatures,
                          const double* norms,
                          int num_edges,
                          int channels,
                          double smallest_norm) {
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
