// Sums over two rows that dissimilarities are made of, bit for bit those of plugin/cpu/edge_dissimilarity.ts: eight
// interleaved partial sums are the lanes of two registers; they are folded 8 -> 4 -> 2 -> 1. Nothing is fused or
// reassociated.
#pragma once
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

// The norm of a row, not clamped.
INLINE double norm_of(const float* row, int channels) {
  return __builtin_sqrt(double(sum<COSINE>(row, row, channels)));
}

// Which norm divides: `smallest` where it is smaller. NaN stays.
INLINE double clamped(double norm, double smallest) { return norm < smallest ? smallest : norm; }
