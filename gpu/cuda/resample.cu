/**
 * Computes images from other images by separable maps of rows and columns: resizing, pooling, RoI alignment, their
 * gradients.
 */
#include "kernel.h"
#include "indexing.h"

/** One thread per element of y, [M, rows, columns, C], which adds its terms in order. */
KERNEL(resample, THREADS, const float* __restrict__ x, const int* __restrict__ starts, const int* __restrict__ terms,
       const int* __restrict__ ranges, const float* __restrict__ weights, float* __restrict__ y, int size, int height,
       int width, int channels, int rows, int columns, int most) {
  FOR_EACH(i, size) {
    const unsigned pixel = i / channels, c = i - pixel * channels;
    const unsigned line = pixel / columns, q = pixel - line * columns;
    const unsigned m = line / rows, p = line - m * rows;
    float sum = 0.0f;
    for (int term = starts[m]; term < starts[m + 1]; term++) {
      const size_t table = (size_t)terms[2 * term + 1] * (rows + columns);
      const size_t row = table + p, column = table + rows + q;
      const int rowCount = ranges[2 * row + 1], columnCount = ranges[2 * column + 1];
      if (rowCount == 0 || columnCount == 0) continue;
      const float* from =
          x + (((size_t)terms[2 * term] * height + ranges[2 * row]) * width + ranges[2 * column]) * channels + c;
      for (int r = 0; r < rowCount; r++, from += (size_t)width * channels) {
        float ofRow = 0.0f;
        for (int s = 0; s < columnCount; s++) ofRow += weights[column * most + s] * from[(size_t)s * channels];
        sum += weights[row * most + r] * ofRow;
      }
    }
    y[i] = sum;
  }
}
