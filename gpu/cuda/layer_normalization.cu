/** Normalisation by mean and variance: one warp per row. */
#include "kernel.h"
#include "rows.h"

KERNEL(layer_normalization, THREADS, const float* __restrict__ x, const float* __restrict__ gamma,
       const float* __restrict__ beta, float* __restrict__ y, int rows, int channels, float epsilon) {
  FOR_EACH_ROW(row, rows) {
    const float* const from = x + row * channels;
    float* const to = y + row * channels;
    const Moments moments = momentsOf(from, channels, epsilon);
    forChannels(channels,
                [&](int c) { to[c] = (from[c] - moments.mean) * moments.inverseDeviation * gamma[c] + beta[c]; });
  }
}
