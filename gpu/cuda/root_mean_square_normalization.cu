/** Normalisation by the root of the mean square: one warp per row. */
#include "kernel.h"
#include "rows.h"

KERNEL(root_mean_square_normalization, THREADS, const float* __restrict__ x, const float* __restrict__ gamma,
       float* __restrict__ y, int rows, int channels, float epsilon) {
  FOR_EACH_ROW(row, rows) {
    const float* const from = x + row * channels;
    float* const to = y + row * channels;
    float squares = 0.0f;
    forChannels(channels, [&](int c) { squares += from[c] * from[c]; });
    const float scale = 1.0f / sqrtf(sumOfWarp(squares) / channels + epsilon);
    forChannels(channels, [&](int c) { to[c] = from[c] * scale * gamma[c]; });
  }
}
