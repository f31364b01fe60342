// Normalisation of channels by the mean and variance over all rows, and its gradients. Sums over rows are computed in
// blocks of rows.
#include "row_totals.h"

// Statistics of each channel.
struct Statistics {
  float* mean;
  float* variance;
};

// Sums over all rows of compute(row, d, count), divided by the number of rows. `partial`: [C].
template <typename Compute>
INLINE void average_rows(float* to, float* partial, int rows, int channels, const Compute& compute) {
  RowTotals<1> totals = {{to}, partial, channels};
  totals.clear();
  for (int row = 0; row < rows; row++) {
    for_vectors(channels, [&](int d, int n) { totals.add_to(0, d, compute(row, d, n), n); });
    totals.next_row();
  }
  totals.fold();
  const v128_t count = splat(rows);
  for_channels(to, channels, [&](int d, int n) { return div(load_first(to + d, n), count); });
}

// The variance is computed after the mean is subtracted.
static void statistics_of(const float* x, const Statistics& of, float* partial, int rows, int channels) {
  const auto value = [&](int row, int d, int n) { return load_first(x + size_t(row) * channels + d, n); };
  average_rows(of.mean, partial, rows, channels, value);
  average_rows(of.variance, partial, rows, channels, [&](int row, int d, int n) {
    const v128_t centred = sub(value(row, d, n), load_first(of.mean + d, n));
    return mul(centred, centred);
  });
}

// Replaces the variance by 1 / sqrt(variance + epsilon).
static void invert_deviations(float* variance, int channels, float epsilon) {
  for_channels(variance, channels, [&](int d, int n) {
    return div(splat(1.0f), wasm_f32x4_sqrt(add(load_first(variance + d, n), splat(epsilon))));
  });
}

EXPORT void batch_normalization(const float* x,      // [rows, C]
                                const float* gamma,  // [C]
                                const float* beta,   // [C]
                                float* y,            // [rows, C], the first result
                                float* mean,         // [C], the second
                                float* variance,     // [C], the third
                                float* scratch,      // [C]
                                int rows,
                                int channels,  // C
                                float epsilon  // added to the variance
) {
  statistics_of(x, {mean, variance}, scratch, rows, channels);
  for_channels(scratch, channels, [&](int d, int n) { return load_first(variance + d, n); });
  invert_deviations(scratch, channels, epsilon);
  for (int row = 0; row < rows; row++, x += channels, y += channels) {
    for_channels(y, channels, [&](int d, int n) {
      const v128_t normalized = mul(sub(load_first(x + d, n), load_first(mean + d, n)), load_first(scratch + d, n));
      return add(mul(normalized, load_first(gamma + d, n)), load_first(beta + d, n));
    });
  }
}

EXPORT void batch_normalization_gradient(const float* x,      // [rows, C]
                                         const float* gamma,  // [C]
                                         const float* dy,     // [rows, C]
                                         float* dx,           // [rows, C], the first result
                                         float* dgamma,       // [C], the second
                                         float* dbeta,        // [C], the third
                                         float* scratch,      // [4, C]
                                         int rows,
                                         int channels,  // C
                                         float epsilon  // added to the variance
) {
  float *const mean = scratch, *const deviation = mean + channels, *const partial = deviation + channels;
  statistics_of(x, {mean, deviation}, partial, rows, channels);
  invert_deviations(deviation, channels, epsilon);
  const auto normalized = [&](int row, int d, int n) {
    const v128_t centred = sub(load_first(x + size_t(row) * channels + d, n), load_first(mean + d, n));
    return mul(centred, load_first(deviation + d, n));
  };
  RowTotals<2> totals = {{dgamma, dbeta}, partial, channels};
  totals.clear();
  for (int row = 0; row < rows; row++) {
    const float* const gradient = dy + size_t(row) * channels;
    for_vectors(channels, [&](int d, int n) {
      totals.add_to(0, d, mul(load_first(gradient + d, n), normalized(row, d, n)), n);
      totals.add_to(1, d, load_first(gradient + d, n), n);
    });
    totals.next_row();
  }
  totals.fold();
  const v128_t count = splat(rows);
  for (int row = 0; row < rows; row++) {
    const size_t from = size_t(row) * channels;
    for_channels(dx + from, channels, [&](int d, int n) {
      const v128_t slope = mul(normalized(row, d, n), div(load_first(dgamma + d, n), count));
      const v128_t apart = sub(sub(load_first(dy + from + d, n), div(load_first(dbeta + d, n), count)), slope);
      return mul(apart, mul(load_first(deviation + d, n), load_first(gamma + d, n)));
    });
  }
}
