// Depthwise convolutions.
#include "activate.h"
#include "window.h"

// Columns per tile of the output of a 3 x 3 filter: their sums, six values and a weight fit the 16 registers of x64.
constexpr int ACROSS = 4;
constexpr int SIDE = 3, VALUES = ACROSS + SIDE - 1;

// Adds a row of the filter. Values of the first and the last column are zero where these are beyond the edges.
INLINE void add_row(const float* x, const float* filter, const int (&column)[VALUES], int channels, v128_t first,
                    v128_t last, v128_t (&sums)[ACROSS]) {
  v128_t values[VALUES];
#pragma unroll
  for (int j = 0; j < VALUES; j++) values[j] = load(x + column[j]);
  values[0] = wasm_v128_and(values[0], first);
  values[VALUES - 1] = wasm_v128_and(values[VALUES - 1], last);
#pragma unroll
  for (int q = 0; q < SIDE; q++) {
    const v128_t weights = load(filter + q * channels);
#pragma unroll
    for (int j = 0; j < ACROSS; j++) sums[j] = add(sums[j], mul(values[j + q], weights));
  }
}

// Computes four adjacent outputs of a row, for a 3 x 3 filter at stride 1 with a column of zeros on either side.
static void convolve_tile(const float* image,   // [height, width, channels]
                          const float* filter,  // [3, 3, channels]
                          float* y,             // [4, channels], the result
                          const Window& w, int out_y, int out_x) {
  const int channels = w.channels, row = w.width * channels;
  const bool is_first = out_x == 0, is_last = out_x + ACROSS == w.width;
  const v128_t first = wasm_i32x4_splat(is_first ? 0 : -1), last = wasm_i32x4_splat(is_last ? 0 : -1);
  int column[VALUES];
#pragma unroll
  for (int j = 0; j < VALUES; j++) column[j] = (out_x - 1 + j) * channels;
  if (is_first) column[0] = 0;
  if (is_last) column[VALUES - 1] = column[VALUES - 2];
  const int top = row_of(w, out_y, 0);
  const bool has[SIDE] = {is_within(top, w.height), is_within(top + 1, w.height), is_within(top + 2, w.height)};
#pragma clang loop unroll(disable)
  for (int d = 0; d < channels; d += LANES) {
    v128_t sums[ACROSS] = {zero(), zero(), zero(), zero()};
#pragma unroll
    for (int p = 0; p < SIDE; p++) {
      if (!has[p]) continue;
      add_row(image + size_t(top + p) * row + d, filter + p * SIDE * channels + d, column, channels, first, last, sums);
    }
#pragma unroll
    for (int j = 0; j < ACROSS; j++) store(y + j * channels + d, sums[j]);
  }
}

// Computes a pixel of the output from the part of the filter that overlaps the image.
static void convolve_pixel(const float* image, const float* filter, float* y, const Window& w, int out_y, int out_x) {
  for_channels(y, w.channels, [&](int d, int n) {
    v128_t sum = zero();
    for (int p = 0; p < w.filter_height; p++) {
      const int row = row_of(w, out_y, p);
      if (!is_within(row, w.height)) continue;
      for (int q = 0; q < w.filter_width; q++) {
        const int column = column_of(w, out_x, q);
        if (!is_within(column, w.width)) continue;
        const float* const value = image + (size_t(row) * w.width + column) * w.channels + d;
        sum = add(sum, mul(load_first(value, n), load_first(filter + (p * w.filter_width + q) * w.channels + d, n)));
      }
    }
    return sum;
  });
}

// Computes some rows of the output. Tiles begin at every fourth column; the last one is moved back to end with the row.
EXPORT void depthwise_convolution(const float* x,       // [batch, height, width, channels]
                                  const float* filter,  // [filter_height, filter_width, channels]
                                  float* y,             // [batch, out_height, out_width, channels], the result
                                  const Window* window,
                                  int first,  // row of all images
                                  int count, Activation activation) {
  const Window& w = *window;
  const bool in_tiles = w.filter_height == SIDE && w.filter_width == SIDE && w.stride_height == 1 &&
                        w.stride_width == 1 && w.dilation_height == 1 && w.dilation_width == 1 && w.left == 1 &&
                        w.out_width == w.width && w.width >= ACROSS && w.channels % LANES == 0;
  const int across = in_tiles ? ACROSS : 1;
  for (int row = first; row < first + count; row++) {
    const int out_y = row % w.out_height;
    const float* const image = x + size_t(row / w.out_height) * w.height * w.width * w.channels;
    for (int begin = 0; begin < w.out_width; begin += across) {
      const int out_x = begin + across <= w.out_width ? begin : w.out_width - across;
      float* const to = y + (size_t(row) * w.out_width + out_x) * w.channels;
      if (in_tiles) {
        convolve_tile(image, filter, to, w, out_y, out_x);
      } else {
        convolve_pixel(image, filter, to, w, out_y, out_x);
      }
      activate(to, across, w.channels, w.channels, activation);
    }
  }
}
