// Gradients of a normalisation by mean and variance, row by row in the first-level cache.
#include "normalization_gradients.h"

EXPORT void layer_normalization_gradient(const float* x,      // [rows, C]
                                         const float* gamma,  // [C]
                                         const float* dy,     // [rows, C]
                                         float* dx,           // [rows, C], the first result
                                         float* dgamma,       // [C], the second
                                         float* dbeta,        // [C], the third
                                         float* scratch,      // [2, C]
                                         int rows,
                                         int channels,  // C
                                         float epsilon  // added to the variance
) {
  RowTotals<2> totals = {{dgamma, dbeta}, scratch, channels};
  totals.clear();
  for (int row = 0; row < rows; row++, x += channels, dy += channels, dx += channels) {
    const Moments moments = moments_of(x, channels, epsilon);
    v128_t sum = zero(), slope = zero();
    for_vectors(channels, [&](int d, int n) {
      const v128_t gradient = load_first(dy + d, n), normalized = normalized_at(x, d, n, moments);
      const v128_t scaled = mul(gradient, load_first(gamma + d, n));
      sum = add(sum, scaled);
      slope = add(slope, mul(scaled, normalized));
      totals.add_to(0, d, mul(gradient, normalized), n);
      totals.add_to(1, d, gradient, n);
      store_first(dx + d, scaled, n);
    });
    through_normalization(x, dx, channels, moments, {sum_lanes(sum), sum_lanes(slope)});
    totals.next_row();
  }
  totals.fold();
}
