// Sums of outer products: the gradient of a matrix product in its second factor, from many rows of both factors.
#pragma once
#include "panels.h"

// Rows of dy whose packed part stays in the second-level cache. At most 256, so that rounding errors accumulate within
// a block and over the blocks, not over all rows.
INLINE int rows_of_block(int outputs) {
  if (outputs <= 0) return 256;  // no sums: nothing has to fit
  const int fitting = 32 * 1024 / (panels_of(outputs) * PANEL);
  return fitting < 16 ? 16 : fitting > 256 ? 256 : fitting;
}

// Numbers of scratch memory that add_outer_products needs.
INLINE int outer_scratch(int outputs) { return rows_of_block(outputs) * (panels_of(outputs) * PANEL + TILE); }

// to[i][o] += sum over k of x[k][i] * panel[k][o], for `rows` of four i and `columns` of eight o.
INLINE void add_tile(const float* x,      // [terms, 4]
                     const float* panel,  // [terms, 8]
                     float* to,           // rows of it are `stride` apart
                     int terms, int rows, int stride, int columns) {
  v128_t low[TILE], high[TILE];
#pragma unroll
  for (int i = 0; i < TILE; i++) low[i] = high[i] = zero();
  const auto step = [&](int k) __attribute__((always_inline)) {
    const v128_t panel_low = load(panel + k * PANEL), panel_high = load(panel + k * PANEL + LANES);
#pragma unroll
    for (int i = 0; i < TILE; i++) {
      const v128_t value = wasm_v128_load32_splat(x + k * TILE + i);
      low[i] = add(low[i], mul(value, panel_low));
      high[i] = add(high[i], mul(value, panel_high));
    }
  };
  for_terms(
      terms, step, [&]() __attribute__((always_inline)) {
        x += STEPS * TILE;
        panel += STEPS * PANEL;
      });
  const int first = columns < LANES ? columns : LANES;
#pragma unroll
  for (int i = 0; i < TILE; i++, to += stride) {
    if (i == rows) return;
    store_first(to, add(load_first(to, first), low[i]), first);
    store_first(to + LANES, add(load_first(to + LANES, columns - first), high[i]), columns - first);
  }
}

// sums[i][o] += sum over the rows of x[row][i] * dy[row][o], at most rows_of_block(outputs) rows.
INLINE void add_block(const float* x,   // [rows, I]
                      const float* dy,  // [rows, O]
                      float* sums,      // [I, stride], O columns of it
                      float* scratch,   // of outer_scratch
                      int rows, int inputs, int outputs, int stride) {
  float* const panels = scratch + size_t(rows_of_block(outputs)) * TILE;
  pack_panels(dy, panels, rows, outputs, 0, outputs);
  for (int input = 0; input < inputs; input += TILE) {
    const int count = inputs - input < TILE ? inputs - input : TILE;
    for (int r = 0; r < rows; r++) store(scratch + r * TILE, load_first(x + size_t(r) * inputs + input, count));
    for (int column = 0; column < outputs; column += PANEL) {
      const int columns = outputs - column < PANEL ? outputs - column : PANEL;
      const float* const panel = panels + size_t(column) * rows;
      add_tile(scratch, panel, sums + size_t(input) * stride + column, rows, count, stride, columns);
    }
  }
}
