// SelectiveLayer: the steps of its kernel between the kernels of other ops.
#include <cstring>

#include "simd_math.h"

// Splits a projection into halves: the input of the scan, and its gate.
EXPORT void selective_layer_split(const float* projected,  // [rows, 2 * D]
                                  float* u,                // [rows, D], the first result
                                  float* gate,             // [rows, D], the second: silu of the other half
                                  int rows,
                                  int channels  // D
) {
  for (int row = 0; row < rows; row++, projected += 2 * channels, u += channels, gate += channels) {
    std::memcpy(u, projected, channels * sizeof(float));
    for_channels(gate, channels, [&](int d, int n) { return silu(load_first(projected + channels + d, n)); });
  }
}

// scanned = (scanned + skip * u) * gate
EXPORT void selective_layer_gate(float* scanned,     // [rows, D], in place
                                 const float* u,     // [rows, D]
                                 const float* skip,  // [D]
                                 const float* gate,  // [rows, D]
                                 int rows,
                                 int channels  // D
) {
  for (int row = 0; row < rows; row++, scanned += channels, u += channels, gate += channels) {
    for_channels(scanned, channels, [&](int d, int n) {
      const v128_t skipped = mul(load_first(u + d, n), load_first(skip + d, n));
      return mul(add(load_first(scanned + d, n), skipped), load_first(gate + d, n));
    });
  }
}

// y += x
EXPORT void selective_layer_add(const float* x,  // [size]
                                float* y,        // [size], in place
                                int size) {
  for_channels(y, size, [&](int i, int n) { return add(load_first(x + i, n), load_first(y + i, n)); });
}
