// Computes images from other images by separable maps of rows and columns: resizing, pooling, RoI alignment, their
// gradients.
#include <cstring>

#include "simd.h"

// Consecutive rows or columns with their weights.
struct Samples {
  int first;
  int count;
  const float* weights;
};

INLINE Samples samples_at(const int32_t* ranges, const float* weights, int most, size_t position) {
  return {ranges[2 * position], ranges[2 * position + 1], weights + position * most};
}

// A new pixel from few others, as in interpolation: their weights stay in registers.
template <int COUNT>
static void weigh_few(float* y, const float* x, size_t line, int channels, const Samples& rows,
                      const Samples& columns) {
  const float* from[COUNT];
  v128_t weights[COUNT];
  for (int r = 0, i = 0; r < rows.count; r++) {
    for (int s = 0; s < columns.count; s++, i++) {
      from[i] = x + (rows.first + r) * line + size_t(columns.first + s) * channels;
      weights[i] = splat(rows.weights[r] * columns.weights[s]);
    }
  }
  for_channels(y, channels, [&](int d, int n) {
    v128_t sum = mul(weights[0], load_first(from[0] + d, n));
    for (int i = 1; i < COUNT; i++) sum = add(sum, mul(weights[i], load_first(from[i] + d, n)));
    return sum;
  });
}

// Channels from d on, as many vectors as `totals` has. Each line of pixels is summed first, so that rounding errors do
// not accumulate over all pixels.
template <int VECTORS, typename Load>
INLINE void add_lines(v128_t (&totals)[VECTORS], const float* from, size_t line, int channels, const Samples& rows,
                      const Samples& columns, const Load& load_at) {
  for (int r = 0; r < rows.count; r++, from += line) {
    v128_t sums[VECTORS];
    for (int i = 0; i < VECTORS; i++) sums[i] = zero();
    const float* pixel = from;
    for (int s = 0; s < columns.count; s++, pixel += channels) {
      const v128_t weight = splat(columns.weights[s]);
      for (int i = 0; i < VECTORS; i++) sums[i] = add(sums[i], mul(weight, load_at(pixel + i * LANES)));
    }
    const v128_t weight = splat(rows.weights[r]);
    for (int i = 0; i < VECTORS; i++) totals[i] = add(totals[i], mul(weight, sums[i]));
  }
}

// One pixel: adds the weighted sum to y, or assigns it if the pixel is new.
static void weigh(float* y, const float* x, size_t line, int channels, const Samples& rows, const Samples& columns,
                  bool is_new) {
  const float* const first = x + rows.first * line + size_t(columns.first) * channels;
  int d = 0;
  // Four vectors at once: a cache line of every pixel that is read.
  for (; d + 4 * LANES <= channels; d += 4 * LANES) {
    v128_t totals[4];
    for (int i = 0; i < 4; i++) totals[i] = is_new ? zero() : load(y + d + i * LANES);
    add_lines(totals, first + d, line, channels, rows, columns, load);
    for (int i = 0; i < 4; i++) store(y + d + i * LANES, totals[i]);
  }
  for (; d < channels; d += LANES) {
    const int n = channels - d < LANES ? channels - d : LANES;
    v128_t totals[1] = {is_new ? zero() : load_first(y + d, n)};
    add_lines(totals, first + d, line, channels, rows, columns, [&](const float* at) { return load_first(at, n); });
    store_first(y + d, totals[0], n);
  }
}

EXPORT void resample(const float* x,         // [N, H, W, C]
                     const int32_t* starts,  // [M+1], the first term of every image of y
                     const int32_t* terms,   // [R, 2], an image of x and a table
                     const int32_t* ranges,  // [T, P+Q, 2], first sample and number of samples
                     const float* weights,   // [T, P+Q, A]
                     float* y,               // [M, P, Q, C]
                     int images,             // M
                     int height,             // H
                     int width,              // W
                     int channels,           // C
                     int rows,               // P
                     int columns,            // Q
                     int most                // A
) {
  const size_t line = size_t(width) * channels, size = size_t(rows) * columns * channels;
  for (int m = 0; m < images; m++, y += size) {
    if (starts[m] == starts[m + 1]) memset(y, 0, size * sizeof(float));
    for (int term = starts[m]; term < starts[m + 1]; term++) {
      const bool is_new = term == starts[m];
      const float* const image = x + terms[2 * term] * height * line;
      const size_t first = size_t(terms[2 * term + 1]) * (rows + columns);
      for (int p = 0; p < rows; p++) {
        const Samples row = samples_at(ranges, weights, most, first + p);
        if (row.count == 0 && !is_new) continue;
        for (int q = 0; q < columns; q++) {
          const Samples column = samples_at(ranges, weights, most, first + rows + q);
          if (column.count == 0 && !is_new) continue;
          float* const to = y + (size_t(p) * columns + q) * channels;
          switch (is_new ? row.count * column.count : 0) {
            case 1: weigh_few<1>(to, image, line, channels, row, column); break;
            case 2: weigh_few<2>(to, image, line, channels, row, column); break;
            case 4: weigh_few<4>(to, image, line, channels, row, column); break;
            default: weigh(to, image, line, channels, row, column, is_new);
          }
        }
      }
    }
  }
}
