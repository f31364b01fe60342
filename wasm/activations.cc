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
