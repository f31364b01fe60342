// The activation after a layer.
#pragma once
#include "simd_math.h"

// Applies it to a part of `rows` rows that has just been written, while it is in the first-level cache. Not inlined,
// since its constants would take registers from the tile of a product (5 % slower).
[[maybe_unused]] __attribute__((noinline)) static void activate(float* y, int rows, int outputs, int columns,
                                                                Activation activation) {
  if (activation == NONE) return;
  for (int r = 0; r < rows; r++, y += outputs) {
    if (activation == GELU) {
      for_channels(y, columns, [&](int d, int n) { return gelu(load_first(y + d, n)); });
    } else if (activation == SILU) {
      for_channels(y, columns, [&](int d, int n) { return silu(load_first(y + d, n)); });
    } else {
      for_channels(y, columns, [&](int d, int n) { return larger(load_first(y + d, n), zero()); });
    }
  }
}
