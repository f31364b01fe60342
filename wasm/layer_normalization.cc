// Normalisation by mean and variance: three passes over each row, which stays in the first-level cache.
#include "rows.h"

EXPORT void layer_normalization(const float* x,      // [rows, C]
                                const float* gamma,  // [C]
                                const float* beta,   // [C]
                                float* y,            // [rows, C]
                                int rows,
                                int channels,  // C
                                float epsilon  // added to the variance
) {
  for (int row = 0; row < rows; row++, x += channels, y += channels) {
    const Moments moments = moments_of(x, channels, epsilon);
    for_channels(y, channels, [&](Channel d, int n) {
      const v128_t normalized = mul(sub(load_first(x + d, n), moments.mean), moments.inverse_deviation);
      return add(mul(normalized, load_first(gamma + d, n)), load_first(beta + d, n));
    });
  }
}
