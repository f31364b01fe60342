// Normalisation by the root of the mean square over the last axis.
#include "rows.h"

EXPORT void root_mean_square_normalization(const float* x,      // [rows, C]
                                           const float* gamma,  // [C]
                                           float* y,            // [rows, C], the result
                                           int rows,
                                           int channels,  // C
                                           float epsilon) {
  for (int row = 0; row < rows; row++, x += channels, y += channels) {
    const float squares = sum_channels(channels, [&](Channel d, int n) {
      const v128_t value = load_first(x + d, n);
      return mul(value, value);
    });
    const v128_t scale = splat(1.0f / __builtin_sqrtf(squares / channels + epsilon));
    for_channels(y, channels,
                 [&](Channel d, int n) { return mul(mul(load_first(x + d, n), scale), load_first(gamma + d, n)); });
  }
}
