// What convolutions have in common. Channels last; a filter is [height, width, channels, outputs] or, of a convolution of
// every channel by itself, [height, width, channels, outputs of each channel].
#pragma once
#include "simd.h"

// Sizes of a convolution, in the order in which convolution_window.ts writes them.
struct Window {
  int32_t batch, height, width, channels, out_height, out_width, out_channels;
  int32_t filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width, top, left;
};

static_assert(sizeof(Window) == 4 * WINDOW_SIZES, "as TypeScript writes it");

INLINE int row_of(const Window& w, int out_y, int tap) {
  return out_y * w.stride_height + tap * w.dilation_height - w.top;
}
INLINE int column_of(const Window& w, int out_x, int tap) {
  return out_x * w.stride_width + tap * w.dilation_width - w.left;
}
INLINE bool is_within(int position, int size) { return unsigned(position) < unsigned(size); }
INLINE int taps_of(const Window& w) { return w.filter_height * w.filter_width; }

INLINE int positions_of(const Window& w) { return w.batch * w.out_height * w.out_width; }

INLINE int within(int value, int most) { return value < 0 ? 0 : value < most ? value : most; }

// What a position of the output is computed from: the values under the filter, zero beyond the edges. A row of the filter
// lies on neighbours in the image, unless it is dilated.
[[maybe_unused]] static void copy_patch(const float* x, float* to, const Window& w, int position) {
  const int out_x = position % w.out_width, above = position / w.out_width;
  const int out_y = above % w.out_height;
  const float* const image = x + size_t(above / w.out_height) * w.height * w.width * w.channels;
  const int run = w.dilation_width == 1 ? w.filter_width : 1;
  for (int i = 0; i < w.filter_height; i++) {
    const int y = row_of(w, out_y, i);
    for (int j = 0; j < w.filter_width; j += run, to += run * w.channels) {
      const int column = column_of(w, out_x, j);
      const int first = is_within(y, w.height) ? within(-column, run) : run;
      const int end = is_within(y, w.height) ? within(w.width - column, run) : run;
      const float* const from = image + (ptrdiff_t(y) * w.width + column + first) * w.channels;
      for_channels(to, first * w.channels, [](int, int) { return zero(); });
      for_channels(to + first * w.channels, (end - first) * w.channels,
                   [&](int d, int n) { return load_first(from + d, n); });
      for_channels(to + end * w.channels, (run - end) * w.channels, [](int, int) { return zero(); });
    }
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
