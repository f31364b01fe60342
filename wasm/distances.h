// Shared by dissimilarities of two rows: their sums and gradients. The sums equal, bit for bit, those of
// plugin/cpu/edge_dissimilarity.ts: the eight interleaved partial sums are the lanes of two registers, reduced 8 -> 4
// -> 2 -> 1. Nothing is fused or reassociated.
#pragma once
#include "simd.h"

template <Metric metric>
INLINE v128_t term(v128_t a, v128_t b) {
  if (metric == COSINE) return mul(a, b);
  const v128_t difference = sub(a, b);
  return metric == EUCLIDEAN ? mul(difference, difference) : wasm_f32x4_abs(difference);
}

// Lanes beyond the last channel add +0, which changes no partial sum, because none is ever -0.
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

// The norm of a row, not clamped.
INLINE double norm_of(const float* row, int channels) {
  return __builtin_sqrt(double(sum<COSINE>(row, row, channels)));
}

// The divisor: `smallest` if the norm is smaller. NaN is kept.
INLINE double clamped(double norm, double smallest) { return norm < smallest ? smallest : norm; }

// An end of an edge: a row of features, its gradient, and its norm if the metric is the cosine.
struct End {
  const float* features;
  float* gradient;
  double norm;
};

// Adds the gradients of both ends of an edge; the formulas are in plugin/cpu/slopes.ts.
template <Metric metric>
INLINE void add_slopes(const End& u, const End& v, int channels, float dy, double smallest_norm) {
  if (metric == COSINE) {
    const double dot = sum<COSINE>(u.features, v.features, channels);
    const v128_t scale = splat(float(dy / (clamped(u.norm, smallest_norm) * clamped(v.norm, smallest_norm))));
    // -scale * (other - own * along)
    const auto add_slope = [&](const End& own, const End& other) {
      if (own.norm == 0) return;
      const v128_t along = splat(own.norm > smallest_norm ? float(dot / (own.norm * own.norm)) : 0.0f);
      for_channels(own.gradient, channels, [&](int d, int n) {
        const v128_t parallel = mul(load_first(own.features + d, n), along);
        const v128_t across = sub(load_first(other.features + d, n), parallel);
        return sub(load_first(own.gradient + d, n), mul(scale, across));
      });
    };
    add_slope(u, v);
    add_slope(v, u);
    return;
  }
  const v128_t scale = splat(metric == EUCLIDEAN ? 2 * dy : dy);
  for_channels(u.gradient, channels, [&](int d, int n) {
    const v128_t gap = sub(load_first(u.features + d, n), load_first(v.features + d, n));
    v128_t slope = mul(scale, gap);
    if (metric == MANHATTAN) {
      const v128_t above_zero = wasm_v128_and(scale, wasm_f32x4_gt(gap, zero()));
      slope = sub(above_zero, wasm_v128_and(scale, wasm_f32x4_lt(gap, zero())));
    }
    store_first(v.gradient + d, sub(load_first(v.gradient + d, n), slope), n);
    return add(load_first(u.gradient + d, n), slope);
  });
}
