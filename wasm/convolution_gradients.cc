// Gradients of convolutions for which tfjs's backend lacks kernels. Channels last; a filter is [height, width,
// channels, outputs] or, for a depthwise convolution, [height, width, channels, outputs of each channel].
#include <cstring>

#include "outer_products.h"
#include "window.h"

// Bytes of scratch memory that convolution_filter_gradient needs.
EXPORT int convolution_filter_scratch(const Window* window) {
  const int terms = filter_elements_of(*window) * window->channels;
  return 4 * (rows_of_block(window->out_channels) * terms + outer_scratch(window->out_channels));
}

// dfilter = the sum over the positions of the output of patch * dy, block by block.
EXPORT void convolution_filter_gradient(const float* x,   // [batch, height, width, channels]
                                        const float* dy,  // [batch, out_height, out_width, out_channels]
                                        float* dfilter,   // the result
                                        float* scratch,   // of convolution_filter_scratch
                                        const Window* window) {
  const Window& w = *window;
  const int terms = filter_elements_of(w) * w.channels, outputs = w.out_channels;
  const int positions = w.batch * w.out_height * w.out_width, block = rows_of_block(outputs);
  float* const patches = scratch + outer_scratch(outputs);
  memset(dfilter, 0, sizeof(float) * terms * outputs);
  for (int first = 0; first < positions; first += block) {
    const int count = positions - first < block ? positions - first : block;
    copy_patches(x, patches, w, first, count);
    add_block(patches, dy + size_t(first) * outputs, dfilter, scratch, count, terms, outputs, outputs);
  }
}

// A term of a sum over the filter: a pixel of dy, and the filter's values there.
struct Term {
  const float* dy;
  const float* filter;
};

// Bytes of scratch memory that depthwise_input_gradient needs.
EXPORT int depthwise_input_scratch(const Window* window) { return int(sizeof(Term)) * filter_elements_of(*window); }

// The output position that reads `position` through the filter's position `before`, or -1 if there is none.
INLINE int output_of(int position, int before, int offset, int stride, int size) {
  const int at = position + before - offset;
  if (at < 0 || at % stride != 0 || at / stride >= size) return -1;
  return at / stride;
}

EXPORT void depthwise_input_gradient(const float* dy,      // [batch, out_height, out_width, out_channels]
                                     const float* filter,  // [filter_height, filter_width, channels, outputs of each]
                                     float* dx,            // [batch, height, width, channels], the result
                                     Term* summands,       // of depthwise_input_scratch
                                     const Window* window) {
  const Window& w = *window;
  const int each = w.out_channels / w.channels;
  for (int n = 0; n < w.batch; n++, dy += size_t(w.out_height) * w.out_width * w.out_channels) {
    for (int y = 0; y < w.height; y++) {
      for (int x = 0; x < w.width; x++, dx += w.channels) {
        int count = 0;
        for (int i = 0; i < w.filter_height; i++) {
          const int out_y = output_of(y, w.top, i * w.dilation_height, w.stride_height, w.out_height);
          if (out_y < 0) continue;
          for (int j = 0; j < w.filter_width; j++) {
            const int out_x = output_of(x, w.left, j * w.dilation_width, w.stride_width, w.out_width);
            if (out_x < 0) continue;
            summands[count++] = {dy + (size_t(out_y) * w.out_width + out_x) * w.out_channels,
                                 filter + size_t(i * w.filter_width + j) * w.out_channels};
          }
        }
        if (each == 1) {
          for_channels(dx, w.channels, [&](int d, int lanes) {
            v128_t sum = zero();
            for (int t = 0; t < count; t++)
              sum = add(sum, mul(load_first(summands[t].dy + d, lanes), load_first(summands[t].filter + d, lanes)));
            return sum;
          });
        } else {
          for (int d = 0; d < w.channels; d++) {
            float sum = 0;
            for (int t = 0; t < count; t++)
              for (int o = d * each; o < (d + 1) * each; o++) sum += summands[t].dy[o] * summands[t].filter[o];
            dx[d] = sum;
          }
        }
      }
    }
  }
}

// to[d] += the sum over `count` pixels of x * dy, VECTORS vectors of channels from d on.
template <int VECTORS>
INLINE void add_pixels(float* to, const float* x, const float* dy, int count, size_t x_step, size_t dy_step,
                       int lanes) {
  v128_t sums[VECTORS];
  for (int i = 0; i < VECTORS; i++) sums[i] = zero();
  for (int p = 0; p < count; p++, x += x_step, dy += dy_step) {
    for (int i = 0; i < VECTORS; i++)
      sums[i] = add(sums[i], mul(load_first(x + i * LANES, lanes), load_first(dy + i * LANES, lanes)));
  }
  for (int i = 0; i < VECTORS; i++) store_first(to + i * LANES, add(load_first(to + i * LANES, lanes), sums[i]), lanes);
}

// Sums each row of the output first, so that rounding errors do not accumulate over all positions.
EXPORT void depthwise_filter_gradient(const float* x,   // [batch, height, width, channels]
                                      const float* dy,  // [batch, out_height, out_width, out_channels]
                                      float* dfilter,   // [filter_height, filter_width, channels, outputs of each]
                                      const Window* window) {
  const Window& w = *window;
  const int each = w.out_channels / w.channels;
  memset(dfilter, 0, sizeof(float) * filter_elements_of(w) * w.out_channels);
  for (int n = 0; n < w.batch; n++, x += size_t(w.height) * w.width * w.channels) {
    for (int out_y = 0; out_y < w.out_height; out_y++, dy += size_t(w.out_width) * w.out_channels) {
      for (int i = 0; i < w.filter_height; i++) {
        const int y = row_of(w, out_y, i);
        if (!is_within(y, w.height)) continue;
        for (int j = 0; j < w.filter_width; j++) {
          int first = 0, end = w.out_width;
          while (first < end && column_of(w, first, j) < 0) first++;
          while (end > first && column_of(w, end - 1, j) >= w.width) end--;
          if (first == end) continue;
          const float* const from = x + (size_t(y) * w.width + column_of(w, first, j)) * w.channels;
          const float* const row = dy + size_t(first) * w.out_channels;
          float* const to = dfilter + size_t(i * w.filter_width + j) * w.out_channels;
          const size_t x_step = size_t(w.stride_width) * w.channels, dy_step = w.out_channels;
          const int count = end - first;
          int d = 0;
          if (each == 1) {
            for (; d + 4 * LANES <= w.channels; d += 4 * LANES)
              add_pixels<4>(to + d, from + d, row + d, count, x_step, dy_step, LANES);
            for (; d < w.channels; d += LANES) {
              const int lanes = w.channels - d < LANES ? w.channels - d : LANES;
              add_pixels<1>(to + d, from + d, row + d, count, x_step, dy_step, lanes);
            }
          } else {
            for (; d < w.out_channels; d++) {
              float sum = 0;
              for (int p = 0; p < count; p++) sum += from[p * x_step + d / each] * row[p * dy_step + d];
              to[d] += sum;
            }
          }
        }
      }
    }
  }
}
