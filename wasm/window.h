// Shared by convolutions. Channels last; a filter is [height, width, channels, outputs] or, for a depthwise
// convolution, [height, width, channels, outputs of each channel].
#pragma once
#include "simd.h"

// Sizes of a convolution, in the order in which convolution_window.ts writes them.
struct Window {
  int32_t batch, height, width, channels, out_height, out_width, out_channels;
  int32_t filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width, top, left;
};

static_assert(sizeof(Window) == 4 * 15, "convolution_window.ts writes 15 integers");

INLINE int row_of(const Window& w, int out_y, int filter_row) {
  return out_y * w.stride_height + filter_row * w.dilation_height - w.top;
}
INLINE int column_of(const Window& w, int out_x, int filter_column) {
  return out_x * w.stride_width + filter_column * w.dilation_width - w.left;
}
INLINE bool is_within(int position, int size) { return unsigned(position) < unsigned(size); }
INLINE int filter_elements_of(const Window& w) { return w.filter_height * w.filter_width; }

INLINE int positions_of(const Window& w) { return w.batch * w.out_height * w.out_width; }

INLINE int within(int value, int most) { return value < 0 ? 0 : value < most ? value : most; }

// Copies `count` values; the last vector may overlap the one before.
INLINE void copy_values(const float* from, float* to, int count) {
  if (count < LANES) {
    store_first(to, load_first(from, count), count);
    return;
  }
  for (int d = 0; d < count - LANES; d += LANES) store(to + d, load(from + d));
  store(to + count - LANES, load(from + count - LANES));
}

// Gathers the inputs of `count` output positions from `first` on: the values under the filter, zero beyond the edges. A
// row of the filter covers contiguous pixels, unless it is dilated.
[[maybe_unused]] static void copy_patches(const float* x,  // [batch, height, width, channels]
                                          float* to,       // [count, filter_height, filter_width, channels]
                                          const Window& w, int first, int count) {
  const int run = w.dilation_width == 1 ? w.filter_width : 1;
  const size_t row = size_t(w.width) * w.channels;
  int out_x = first % w.out_width, out_y = first / w.out_width % w.out_height;
  const float* image = x + first / w.out_width / w.out_height * (w.height * row);
  for (int r = 0; r < count; r++) {
    const int left = column_of(w, out_x, 0), top = row_of(w, out_y, 0);
    const bool is_inside = run == w.filter_width && left >= 0 && left + run <= w.width && top >= 0 &&
                           row_of(w, out_y, w.filter_height - 1) < w.height;
    const float* from = image + top * ptrdiff_t(row) + ptrdiff_t(left) * w.channels;
    for (int i = 0; i < w.filter_height; i++, from += w.dilation_height * row) {
      if (is_inside) {
        copy_values(from, to, run * w.channels);
        to += run * w.channels;
        continue;
      }
      const int y = row_of(w, out_y, i);
      for (int j = 0; j < w.filter_width; j += run, to += run * w.channels) {
        const int column = column_of(w, out_x, j);
        const int before = is_within(y, w.height) ? within(-column, run) : run;
        const int end = is_within(y, w.height) ? within(w.width - column, run) : run;
        const float* const values = image + y * ptrdiff_t(row) + (ptrdiff_t(column) + before) * w.channels;
        for_channels(to, before * w.channels, [](int, int) { return zero(); });
        copy_values(values, to + before * w.channels, (end - before) * w.channels);
        for_channels(to + end * w.channels, (run - end) * w.channels, [](int, int) { return zero(); });
      }
    }
    if (++out_x < w.out_width) continue;
    out_x = 0;
    if (++out_y < w.out_height) continue;
    out_y = 0;
    image += w.height * row;
  }
}

// The transpose: adds a patch to the image.
[[maybe_unused]] static void add_patch(const float* patch, float* x, const Window& w, int position) {
  const int out_x = position % w.out_width, above = position / w.out_width;
  const int out_y = above % w.out_height;
  float* const image = x + size_t(above / w.out_height) * w.height * w.width * w.channels;
  for (int i = 0; i < w.filter_height; i++) {
    const int y = row_of(w, out_y, i);
    for (int j = 0; j < w.filter_width; j++, patch += w.channels) {
      const int column = column_of(w, out_x, j);
      if (!is_within(y, w.height) || !is_within(column, w.width)) continue;
      float* const to = image + (size_t(y) * w.width + column) * w.channels;
      for_channels(to, w.channels, [&](int d, int n) { return add(load_first(to + d, n), load_first(patch + d, n)); });
    }
  }
}
