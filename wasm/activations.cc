// Activations, value by value.
#include "simd_math.h"

EXPORT void gelu_all(const float* x,  // [size]
                     float* y,        // [size]
                     int size) {
  for_channels(y, size, [&](int i, int n) { return gelu(load_first(x + i, n)); });
}

EXPORT void silu_all(const float* x,  // [size]
                     float* y,        // [size]
                     int size) {
  for_channels(y, size, [&](int i, int n) { return silu(load_first(x + i, n)); });
}

EXPORT void relu_all(const float* x,  // [size]
                     float* y,        // [size]
                     int size) {
  for_channels(y, size, [&](int i, int n) { return wasm_f32x4_pmax(load_first(x + i, n), zero()); });
}

EXPORT void gelu_gradient(const float* x,   // [size]
                          const float* dy,  // [size]
                          float* dx,        // [size], the result
                          int size) {
  for_channels(dx, size, [&](int i, int n) { return mul(load_first(dy + i, n), gelu_slope(load_first(x + i, n))); });
}

EXPORT void silu_gradient(const float* x,   // [size]
                          const float* dy,  // [size]
                          float* dx,        // [size], the result
                          int size) {
  for_channels(dx, size, [&](int i, int n) { return mul(load_first(dy + i, n), silu_slope(load_first(x + i, n))); });
}
