// Convolutions of images and their gradient in the image: products of patches, a few positions at a time, so that these stay
// in the second cache.
#include <cstring>

#include "panels.h"
#include "window.h"

// Positions of the output.
constexpr int PATCHES = 64;

// Bytes of scratch memory that convolution needs.
EXPORT int convolution_scratch(const Window* window  // as convolution_window.ts writes it
) {
  const int terms = taps_of(*window) * window->channels;
  return 4 * terms * (PATCHES + panels_of(window->out_channels) * PANEL);
}

// What positions of the output are computed from, zero beyond the edges.
EXPORT void convolution_patches(const float* x,  // [batch, height, width, channels]
                                float* patches,  // [count, terms], the result
                                const Window* window,
                                int first,  // position
                                int count) {
  const int terms = taps_of(*window) * window->channels;
  for (int r = 0; r < count; r++) copy_patch(x, patches + size_t(r) * terms, *window, first + r);
}

EXPORT void convolution(const float* x,       // [batch, height, width, channels]
                        const float* filter,  // [terms, out_channels]
                        const float* bias,    // [out_channels], or null
                        float* y,             // [batch, out_height, out_width, out_channels], the result
                        float* scratch,       // of convolution_scratch
                        const Window* window) {
  const Window& w = *window;
  const int terms = taps_of(w) * w.channels, outputs = w.out_channels, positions = positions_of(w);
  float* const packed = scratch + size_t(terms) * PATCHES;
  pack_panels(filter, packed, terms, outputs, 0, outputs);
  for (int first = 0; first < positions; first += PATCHES) {
    const int count = positions - first < PATCHES ? positions - first : PATCHES;
    for (int r = 0; r < count; r++) copy_patch(x, scratch + size_t(r) * terms, w, first + r);
    float* const to = y + size_t(first) * outputs;
    multiply_block(scratch, packed, bias, to, count, terms, outputs, 0, panels_of(outputs), [](float*, int, int) {});
  }
}

// Bytes of scratch memory that convolution_input_gradient needs.
EXPORT int convolution_input_scratch(const Window* window  // as convolution_window.ts writes it
) {
  const int terms = taps_of(*window) * window->channels;
  return 4 * (terms * PATCHES + panels_of(terms) * PANEL * window->out_channels);
}

EXPORT void convolution_input_gradient(const float* dy,      // [batch, out_height, out_width, out_channels]
                                       const float* filter,  // [terms, out_channels]
                                       float* dx,            // [batch, height, width, channels], the result
                                       float* scratch,       // of convolution_input_scratch
                                       const Window* window) {
  const Window& w = *window;
  const int terms = taps_of(w) * w.channels, outputs = w.out_channels, positions = positions_of(w);
  float* const packed = scratch + size_t(terms) * PATCHES;
  pack_transposed(filter, packed, 0, terms, outputs, 0, outputs);
  memset(dx, 0, sizeof(float) * w.batch * w.height * w.width * w.channels);
  for (int first = 0; first < positions; first += PATCHES) {
    const int count = positions - first < PATCHES ? positions - first : PATCHES;
    const float* const from = dy + size_t(first) * outputs;
    multiply_block(from, packed, nullptr, scratch, count, outputs, terms, 0, panels_of(terms), [](float*, int, int) {});
    for (int r = 0; r < count; r++) add_patch(scratch + size_t(r) * terms, dx, w, first + r);
  }
}
