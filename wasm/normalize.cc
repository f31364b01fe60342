// Normalisation of images by the mean and the deviation of each channel.
#include "simd.h"

EXPORT void normalize(const float* x,          // [rows, channels]
                      const float* mean,       // [channels]
                      const float* deviation,  // [channels]
                      float* y,                // [rows, channels], the result
                      float* scratch,          // [8, channels]
                      int rows, int channels) {
  // Four rows are whole vectors, for any number of channels.
  const int period = LANES * channels;
  float* means = scratch;
  float* deviations = scratch + period;
  for (int i = 0; i < period; i++) {
    means[i] = mean[i % channels];
    deviations[i] = deviation[i % channels];
  }
  const auto normalized = [&](v128_t values, int at) {
    return div(sub(values, load(means + at)), load(deviations + at));
  };
  for (; rows >= LANES; rows -= LANES) {
    for (int at = 0; at < period; at += LANES) store(y + at, normalized(load(x + at), at));
    x += period;
    y += period;
  }
  for (int at = 0, n = rows * channels; at < n; at += LANES) {
    const int count = n - at < LANES ? n - at : LANES;
    store_first(y + at, normalized(load_first(x + at, count), at), count);
  }
}
