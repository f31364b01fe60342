// The gradient of a normalisation by mean and variance.
#pragma once
#include "row_totals.h"
#include "rows.h"

INLINE v128_t normalized_at(const float* x, int d, int n, const Moments& moments) {
  return mul(sub(load_first(x + d, n), moments.mean), moments.inverse_deviation);
}

// Replaces the gradient of normalised values by that of the row x: inverse deviation * (g - mean of g - normalised *
// mean of g * normalised). `along`: the sum of g, then that of g * normalised.
INLINE void through_normalization(const float* x, float* gradient, int channels, const Moments& moments,
                                  const float (&along)[2]) {
  const v128_t mean = splat(along[0] / channels), slope = splat(along[1] / channels);
  for_channels(gradient, channels, [&](int d, int n) {
    const v128_t apart = sub(sub(load_first(gradient + d, n), mean), mul(normalized_at(x, d, n, moments), slope));
    return mul(moments.inverse_deviation, apart);
  });
}
