// Weights of edges, bit for bit that of plugin/cpu/edge_dissimilarity.ts: eight interleaved partial sums are the
// lanes of two registers; they are folded 8 -> 4 -> 2 -> 1. Nothing is fused or reassociated; the cosine is finished in
// float64.
#include "simd.h"

template <Metric metric>
INLINE v128_t term(v128_t a, v128_t b) {
  if (metric == COSINE) return mul(a, b);
  const v128_t difference = sub(a, b);
  return metric == EUCLIDEAN ? mul(difference, difference) : wasm_f32x4_abs(difference);
}

// Lanes beyond the last channel add a term of zeros, which is +0: no partial sum is ever -0, so none changes.
template <Metric metric>
INLINE float sum(const float* a, const float* b, int channels) {
  v128_t low = zero(), high = zero();
  int d = 0;
  for (; d + 2 * LANES <= channels; d += 2 * LANES) {
    low = add(low, term<metric>(load(a + d), load(b + d)));
    high = add(high, term<metric>(load(a + d + LANES), load(b + d + LANES)));
  }
  const int left = channels - d;
  if (left > LANES) {
    low = add(low, term<metric>(load(a + d), load(b + d)));
    const int beyond = left - LANES;
    high = add(high, term<metric>(load_first(a + d + LANES, beyond), load_first(b + d + LANES, beyond)));
  } else if (left > 0) {
    low = add(low, term<metric>(load_first(a + d, left), load_first(b + d, left)));
  }
  return sum_lanes(add(low, high));
}

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
        const double norm = __builtin_sqrt(double(sum<COSINE>(row, row, channels)));
        norms[v] = norm < smallest_norm ? smallest_norm : norm;  // NaN stays
      }
      weigh<COSINE>(features, edges, weights, num_edges, channels);
      for (int e = 0; e < num_edges; e++) {
        weights[e] = float(-double(weights[e]) / (norms[edges[2 * e]] * norms[edges[2 * e + 1]]));
      }
    }
  }
}
