// Matrix products. One factor is packed in panels of eight columns; the register tile is 4 rows x 8 columns: eight
// sums, two registers of weights and one splat value fit the 16 registers of x64 (6 x 8 spills). Every path adds the
// terms of a sum in the same order.
#pragma once
#include "simd.h"

#ifdef RELAXED_SIMD
// With fused multiply-add, products need no register, so that sums of six rows fit in engines that load factors one by
// one; whether they do is measured.
constexpr int TALL_TILE = 6;
extern "C" __attribute__((const)) int has_tall_tiles();
#endif

// Terms of a sum per iteration.
constexpr int STEPS = 8;

// Calls step(k) for each of `terms` terms, k below STEPS, and advance() after every STEPS terms. A constant k is part
// of the load instruction, an index takes an instruction of its own. The loop may end after every term: V8 does not
// move sums across such a branch; without the branches it hoists the loads of several terms, and registers spill.
template <typename Step, typename Advance>
INLINE void for_terms(int terms, const Step& step, const Advance& advance) {
  const auto goes_on_after = [&](int k) __attribute__((always_inline)) {
    step(k);
    return terms != k + 1;
  };
#pragma clang loop unroll(disable)
  while (terms > 0 && goes_on_after(0) && goes_on_after(1) && goes_on_after(2) && goes_on_after(3) &&
         goes_on_after(4) && goes_on_after(5) && goes_on_after(6)) {
    step(7);
    terms -= STEPS;
    advance();
  }
}

// Rows packed at a time: the rows of a wide matrix lie in different pages, the panels in few cache sets.
constexpr int PACKED_ROWS = 16;

INLINE int panels_of(int columns) { return (columns + PANEL - 1) / PANEL; }

// Row k of panel p holds eight columns of weights[k], from first + 8p on; those beyond the last are zero.
INLINE void pack_panels(const float* weights,  // [rows, columns]
                        float* packed,         // [ceil((end - first) / 8), rows, 8], the result
                        int rows, int columns,
                        int first,  // column
                        int end     // behind the last column
) {
  for (int k = 0; k < rows; k += PACKED_ROWS) {
    const int count = rows - k < PACKED_ROWS ? rows - k : PACKED_ROWS;
    float* panel = packed + size_t(k) * PANEL;
    for (int column = first; column < end; column += PANEL, panel += size_t(rows) * PANEL) {
      const float* from = weights + size_t(k) * columns + column;
      float* to = panel;
      const int used = end - column < PANEL ? end - column : PANEL;
      const int low = used < LANES ? used : LANES;
      for (int r = 0; r < count; r++, from += columns, to += PANEL) {
        store(to, used == PANEL ? load(from) : load_first(from, low));
        store(to + LANES, used == PANEL ? load(from + LANES) : load_first(from + LANES, used - low));
      }
    }
  }
}

// Packs the transpose: row k of panel p holds weights[8p + 0 .. 8p + 7][first + k]; zero beyond the last row.
INLINE void pack_transposed(const float* weights,  // [rows, columns]
                            float* packed,         // [ceil((end - begin) / 8), outputs, 8], the result
                            int begin, int end,    // rows
                            int columns, int first, int outputs) {
  for (int row = begin; row < end; row += PANEL) {
    for (int half = 0; half < PANEL; half += LANES) {
      const int count = end - row - half;
      const float* const from = weights + size_t(row + half) * columns + first;
      float* to = packed + half;
      const auto load_row = [&](int r, int k, int n) {
        return r < count ? load_first(from + size_t(r) * columns + k, n) : zero();
      };
      for (int k = 0; k < outputs; k += LANES) {
        const int n = outputs - k < LANES ? outputs - k : LANES;
        const v128_t a = load_row(0, k, n), b = load_row(1, k, n), c = load_row(2, k, n), d = load_row(3, k, n);
        const v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
        const v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
        const v128_t across[LANES] = {
            wasm_i64x2_shuffle(ab_low, cd_low, 0, 2), wasm_i64x2_shuffle(ab_low, cd_low, 1, 3),
            wasm_i64x2_shuffle(ab_high, cd_high, 0, 2), wasm_i64x2_shuffle(ab_high, cd_high, 1, 3)};
        for (int i = 0; i < n; i++, to += PANEL) store(to, across[i]);
      }
    }
    packed += size_t(outputs) * PANEL;
  }
}

// ROWS rows of x times one panel: y[r][0..columns) = sum over k of x[r][k] * panel[k][..], and the bias.
template <int ROWS>
INLINE void tile(const float* x, const float* panel, v128_t bias_low, v128_t bias_high, float* y, int inputs,
                 int outputs, int columns) {
  v128_t low[ROWS], high[ROWS];
  const float* rows[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    low[r] = bias_low;
    high[r] = bias_high;
    rows[r] = x + size_t(r) * inputs;
  }
  const auto step = [&](int k) __attribute__((always_inline)) {
    const v128_t weights_low = load(panel + k * PANEL), weights_high = load(panel + k * PANEL + LANES);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      const v128_t value = wasm_v128_load32_splat(rows[r] + k);
      low[r] = add_product(low[r], value, weights_low);
      high[r] = add_product(high[r], value, weights_high);
    }
  };
  for_terms(
      inputs, step, [&]() __attribute__((always_inline)) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) rows[r] += STEPS;
        panel += STEPS * PANEL;
      });
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    float* const to = y + size_t(r) * outputs;
    if (columns == PANEL) {
      store(to, low[r]);
      store(to + LANES, high[r]);
    } else {
      const int first = columns < LANES ? columns : LANES;
      store_first(to, low[r], first);
      store_first(to + LANES, high[r], columns - first);
    }
  }
}

// ROWS rows of x times the panels from `first` to `end`.
template <int ROWS>
INLINE void tiles(const float* x, const float* packed, const float* bias, float* y, int inputs, int outputs, int first,
                  int end) {
  for (int p = first; p < end; p++) {
    const int column = p * PANEL;
    const int columns = outputs - column < PANEL ? outputs - column : PANEL;
    const int low = columns < LANES ? columns : LANES;
    const v128_t bias_low = bias ? load_first(bias + column, low) : zero();
    const v128_t bias_high = bias ? load_first(bias + column + LANES, columns - low) : zero();
    const float* const panel = packed + size_t(p) * inputs * PANEL;
    tile<ROWS>(x, panel, bias_low, bias_high, y + column, inputs, outputs, columns);
  }
}

// Bytes of weights that stay in the second-level cache while all rows are processed.
constexpr int CACHED_BYTES = 256 * 1024;

// Number of panels whose weights stay in the second-level cache.
INLINE int panels_of_block(int inputs) {
  const int fitting = CACHED_BYTES / ((inputs + 1) * PANEL * int(sizeof(float)));
  return fitting > 1 ? fitting : 1;
}

// Number of rows that stay in the last-level cache during all blocks of panels: whole tiles of four and of six.
INLINE int rows_in_cache(int inputs) {
  constexpr int WHOLE = 12, LAST_CACHE_BYTES = 2 * 1024 * 1024;
  const int fitting = LAST_CACHE_BYTES / ((inputs + 1) * int(sizeof(float))) / WHOLE * WHOLE;
  return fitting > WHOLE ? fitting : WHOLE;
}

// All rows of x times the panels from `first` to `end`, of which `packed` is the first. `after` is called for rows that
// have just been written, while they are in the first-level cache.
template <typename After>
INLINE void multiply_block(const float* x, const float* packed, const float* bias, float* y, int rows, int inputs,
                           int outputs, int first, int end, const After& after) {
  const float* const panels = packed - size_t(first) * inputs * PANEL;
  const int column = first * PANEL;
  const int columns = (end * PANEL < outputs ? end * PANEL : outputs) - column;
  int row = 0;
#ifdef RELAXED_SIMD
  for (; has_tall_tiles() && row + TALL_TILE <= rows; row += TALL_TILE) {
    float* const to = y + size_t(row) * outputs;
    tiles<TALL_TILE>(x + size_t(row) * inputs, panels, bias, to, inputs, outputs, first, end);
    after(to + column, TALL_TILE, columns);
  }
#endif
  for (; row + TILE <= rows; row += TILE) {
    float* const to = y + size_t(row) * outputs;
    tiles<TILE>(x + size_t(row) * inputs, panels, bias, to, inputs, outputs, first, end);
    after(to + column, TILE, columns);
  }
  for (; row < rows; row++) {
    float* const to = y + size_t(row) * outputs;
    tiles<1>(x + size_t(row) * inputs, panels, bias, to, inputs, outputs, first, end);
    after(to + column, 1, columns);
  }
}
