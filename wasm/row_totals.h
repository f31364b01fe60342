// Sums over all rows, for the gradients of vectors that are multiplied with or added to every row.
#pragma once
#include <cstring>

#include "simd.h"

// Rows per partial sum before it is added to the total: rounding errors accumulate within a block and over the blocks,
// not over all rows.
constexpr int TOTAL_ROWS = 64;

// compute(d, count) for d = 0, 4, 8, ..
template <typename Compute>
INLINE void for_vectors(int channels, const Compute& compute) {
  int d = 0;
  for (; d + LANES <= channels; d += LANES) compute(d, LANES);
  if (d < channels) compute(d, channels - d);
}

namespace {

// COUNT totals of `size` numbers each. The sums of a block are stored one after another in `partial`.
template <int COUNT>
struct RowTotals {
  float* totals[COUNT];
  float* partial;  // [COUNT, size]
  int size;
  int rows = 0;

  void clear() {
    for (int i = 0; i < COUNT; i++) memset(totals[i], 0, sizeof(float) * size);
    memset(partial, 0, sizeof(float) * COUNT * size);
  }

  // partial[i][d..] += values
  INLINE_MEMBER void add_to(int i, int d, v128_t values, int count) {
    float* const to = partial + i * size + d;
    store_first(to, add(load_first(to, count), values), count);
  }

  void fold() {
    for (int i = 0; i < COUNT; i++) {
      float* const from = partial + i * size;
      float* const total = totals[i];
      for_channels(total, size, [&](int d, int n) { return add(load_first(total + d, n), load_first(from + d, n)); });
    }
    memset(partial, 0, sizeof(float) * COUNT * size);
  }

  // Call it after every row.
  void next_row() {
    if (++rows % TOTAL_ROWS == 0) fold();
  }
};

}  // namespace
