// Sums over a row of channels.
#pragma once
#include "simd.h"

// Sum over d of compute(d, count), which must return zero in lanes beyond the row.
template <typename Compute>
INLINE float sum_channels(int channels, const Compute& compute) {
  v128_t a = zero(), b = zero(), c = zero(), e = zero();
  int d = 0;
  for (; d + 4 * LANES <= channels; d += 4 * LANES) {
    a = add(a, compute(Channel{d, 0}, LANES));
    b = add(b, compute(Channel{d, LANES}, LANES));
    c = add(c, compute(Channel{d, 2 * LANES}, LANES));
    e = add(e, compute(Channel{d, 3 * LANES}, LANES));
  }
  for (; d + LANES <= channels; d += LANES) a = add(a, compute(Channel{d, 0}, LANES));
  if (d < channels) b = add(b, compute(Channel{d, 0}, channels - d));
  return sum_lanes(add(add(a, b), add(c, e)));
}

struct Moments {
  v128_t mean;               // in all lanes
  v128_t inverse_deviation;  // 1 / sqrt(variance + epsilon), in all lanes
};

// Mean and variance of a row; the variance is computed after the mean is subtracted.
INLINE Moments moments_of(const float* x, int channels, float epsilon) {
  const v128_t mean = splat(sum_channels(channels, [&](Channel d, int n) { return load_first(x + d, n); }) / channels);
  const float squares = sum_channels(channels, [&](Channel d, int n) {
    const v128_t centred = sub(load_first(x + d, n), mean);
    return n == LANES ? mul(centred, centred) : first_lanes(mul(centred, centred), n);
  });
  return {mean, splat(1.0f / __builtin_sqrtf(squares / channels + epsilon))};
}
