// Convolutions of images and their gradient in the image: products of patches, a few positions at a time, so that the
// patches stay in the second-level cache.
#include <cstring>

#include "activate.h"
#include "panels.h"
#include "window.h"

// Number of patches of `terms` values that fit the second-level cache beside a block of weights, at least 32: with
// fewer, reading the weights again for each block would take longer than the products.
INLINE int patches_of(int terms) {
  constexpr int LEAST = 32, MOST = 64;
  if (terms == 0) return MOST;
  const int fitting = 2 * CACHED_BYTES / (terms * int(sizeof(float))) / TILE * TILE;
  return fitting > MOST ? MOST : fitting > LEAST ? fitting : LEAST;
}

// Gathers the inputs of output positions, zero beyond the edges.
EXPORT void convolution_patches(const float* x,  // [batch, height, width, channels]
                                float* patches,  // [count, terms], the result
                                const Window* window,
                                int first,  // position
                                int count) {
  copy_patches(x, patches, *window, first, count);
}

// Bytes of scratch memory that convolution needs.
EXPORT int convolution_scratch(const Window* window  // as convolution_window.ts writes it
) {
  const int terms = filter_elements_of(*window) * window->channels;
  return 4 * terms * patches_of(terms);
}

// Computes some positions of the output, with a packed filter.
EXPORT void convolution(const float* x,       // [batch, height, width, channels]
                        const float* packed,  // of pack_panels: [terms, out_channels]
                        const float* bias,    // [out_channels], or null
                        float* y,             // [batch, out_height, out_width, out_channels], the result
                        float* patches,       // of convolution_scratch
                        const Window* window,
                        int first,  // position
                        int positions, Activation activation) {
  const Window& w = *window;
  const int terms = filter_elements_of(w) * w.channels, outputs = w.out_channels, panels = panels_of(outputs);
  const int most = patches_of(terms), block = panels_of_block(terms);
  const auto then = [&](float* to, int rows, int columns) { activate(to, rows, outputs, columns, activation); };
  for (const int end = first + positions; first < end; first += most) {
    const int count = end - first < most ? end - first : most;
    convolution_patches(x, patches, window, first, count);
    float* const to = y + size_t(first) * outputs;
    for (int panel = 0; panel < panels; panel += block) {
      const float* const from = packed + size_t(panel) * terms * PANEL;
      const int behind = panel + block < panels ? panel + block : panels;
      multiply_block(patches, from, bias, to, count, terms, outputs, panel, behind, then);
    }
  }
}

// Bytes of scratch memory that convolution_input_gradient needs.
EXPORT int convolution_input_scratch(const Window* window  // as convolution_window.ts writes it
) {
  const int terms = filter_elements_of(*window) * window->channels;
  return 4 * (terms * patches_of(terms) + panels_of(terms) * PANEL * window->out_channels);
}

EXPORT void convolution_input_gradient(const float* dy,      // [batch, out_height, out_width, out_channels]
                                       const float* filter,  // [terms, out_channels]
                                       float* dx,            // [batch, height, width, channels], the result
                                       float* scratch,       // of convolution_input_scratch
                                       const Window* window) {
  const Window& w = *window;
  const int terms = filter_elements_of(w) * w.channels, outputs = w.out_channels, positions = positions_of(w);
  const int most = patches_of(terms);
  float* const packed = scratch + size_t(terms) * most;
  pack_transposed(filter, packed, 0, terms, outputs, 0, outputs);
  memset(dx, 0, sizeof(float) * w.batch * w.height * w.width * w.channels);
  for (int first = 0; first < positions; first += most) {
    const int count = positions - first < most ? positions - first : most;
    const float* const from = dy + size_t(first) * outputs;
    multiply_block(from, packed, nullptr, scratch, count, outputs, terms, 0, panels_of(terms), [](float*, int, int) {});
    for (int r = 0; r < count; r++) add_patch(scratch + size_t(r) * terms, dx, w, first + r);
  }
}
