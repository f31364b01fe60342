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

// use(values, pixel) for every position of the filter that lies in the image, at a position of the output: values of a
// patch [height, width, channels] and the first channel of the image's pixel. otherwise(values) where it lies beyond.
template <typename Use, typename Otherwise>
INLINE void for_patch(const Window& w, int position, const Use& use, const Otherwise& otherwise) {
  const int out_x = position % w.out_width, above = position / w.out_width;
  const int out_y = above % w.out_height;
  const size_t image = size_t(above / w.out_height) * w.height;
  size_t at = 0;
  for (int i = 0; i < w.filter_height; i++) {
    const int y = row_of(w, out_y, i);
    for (int j = 0; j < w.filter_width; j++, at += w.channels) {
      const int column = column_of(w, out_x, j);
      if (is_within(y, w.height) && is_within(column, w.width)) {
        use(at, ((image + y) * w.width + column) * w.channels);
      } else {
        otherwise(at);
      }
    }
  }
}

// What a position of the output is computed from: the values under the filter, zero beyond the edges.
[[maybe_unused]] static void copy_patch(const float* x, float* to, const Window& w, int position) {
  for_patch(
      w, position,
      [&](size_t at, size_t pixel) {
        const float* const from = x + pixel;
        for_channels(to + at, w.channels, [&](int d, int n) { return load_first(from + d, n); });
      },
      [&](size_t at) { for_channels(to + at, w.channels, [](int, int) { return zero(); }); });
}

// The transpose: adds a patch to the image.
[[maybe_unused]] static void add_patch(const float* patch, float* x, const Window& w, int position) {
  for_patch(
      w, position,
      [&](size_t at, size_t pixel) {
        float* const to = x + pixel;
        const float* const from = patch + at;
        for_channels(to, w.channels, [&](int d, int n) { return add(load_first(to + d, n), load_first(from + d, n)); });
      },
      [](size_t) {});
}
