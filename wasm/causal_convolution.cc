// A depthwise convolution over time that sees only the current and earlier tokens, and SiLU.
#include <cstring>

#include "simd_math.h"

// The input of token t, which may precede x; null if it is zero.
INLINE const float* input_at(const float* x, const float* past, int t, int kernel_size, int channels) {
  if (t >= 0) return x + size_t(t) * channels;
  return past ? past + size_t(t + kernel_size - 1) * channels : nullptr;
}

EXPORT void causal_convolution(const float* x,       // [B, L, D]
                               const float* filter,  // [K, D]
                               const float* bias,    // [D]
                               const float* past,    // [B, K-1, D], or null for zeros
                               float* y,             // [B, L, D], the first result
                               float* next_past,     // [B, K-1, D], the second result
                               int batch,            // B
                               int length,           // L
                               int channels,         // D
                               int kernel_size       // K
) {
  const size_t row_bytes = size_t(channels) * sizeof(float);
  for (int b = 0; b < batch; b++) {
    for (int t = 0; t < length; t++, y += channels) {
      std::memcpy(y, bias, row_bytes);
      for (int k = 0; k < kernel_size; k++) {
        const float* const input = input_at(x, past, t - kernel_size + 1 + k, kernel_size, channels);
        if (!input) continue;
        const float* const weights = filter + size_t(k) * channels;
        for_channels(y, channels, [&](int d, int n) {
          return add(load_first(y + d, n), mul(load_first(weights + d, n), load_first(input + d, n)));
        });
      }
      for_channels(y, channels, [&](int d, int n) { return silu(load_first(y + d, n)); });
    }
    for (int k = 0; k + 1 < kernel_size; k++, next_past += channels) {
      const float* const input = input_at(x, past, length - kernel_size + 1 + k, kernel_size, channels);
      if (input) {
        std::memcpy(next_past, input, row_bytes);
      } else {
        std::memset(next_past, 0, row_bytes);
      }
    }
    x += size_t(length) * channels;
    if (past) past += size_t(kernel_size - 1) * channels;
  }
}
