// Linear: a matrix product whose weights were packed once. The register tile is 4 rows x 8 columns: eight sums, two
// registers of weights and one splat value fit the 16 registers of x64 (6 x 8 spills).
#include "simd_math.h"

constexpr int PANEL = 8;  // columns of a panel
constexpr int TILE = 4;   // rows of a tile

// Turns of the inner loop. clang must not unroll it: then both compilers gather the terms of several turns for one sum,
// and registers spill (a quarter slower). With a constant count V8 unrolls it well (8 % faster than one long loop).
constexpr int STEPS = 16;

// Weights of this many bytes stay in the second cache while all rows pass.
constexpr int CACHED_BYTES = 256 * 1024;

enum Activation { NONE = 0, GELU = 1, SILU = 2 };

INLINE int panels_of(int columns) { return (columns + PANEL - 1) / PANEL; }

// Row k of panel p holds eight columns of weights[k], from first + 8p on; those beyond the last are zero.
EXPORT void linear_pack(
    const float* weights,  // [I, columns]
    float* packed,         // [ceil((end - first) / 8), I, 8], the result
    int inputs,            // I
    int columns,
    int first,  // column
    int end     // behind the last column
) {
  for (int column = first; column < end; column += PANEL) {
    const int count = end - column < PANEL ? end - column : PANEL;
    const int low = count < LANES ? count : LANES;
    for (int k = 0; k < inputs; k++, packed += PANEL) {
      const float* const from = weights + size_t(k) * columns + column;
      store(packed, load_first(from, low));
      store(packed + LANES, load_first(from + LANES, count - low));
    }
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
      low[r] = add(low[r], mul(value, weights_low));
      high[r] = add(high[r], mul(value, weights_high));
    }
  };
  int done = 0;
#pragma clang loop unroll(disable)
  for (; done + STEPS <= inputs; done += STEPS) {
#pragma clang loop unroll(disable)
    for (int k = 0; k < STEPS; k++) step(k);
#pragma unroll
    for (int r = 0; r < ROWS; r++) rows[r] += STEPS;
    panel += STEPS * PANEL;
  }
#pragma clang loop unroll(disable)
  for (int k = 0; k < inputs - done; k++) step(k);
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

// The activation of a part of `rows` rows that has just been written, while it is in the first cache. A function of its
// own: inlined, its constants would take registers from the tile (5 % slower).
__attribute__((noinline)) static void activate(float* y, int rows, int outputs, int columns, Activation activation) {
  if (activation == NONE) return;
  for (int r = 0; r < rows; r++, y += outputs) {
    if (activation == GELU) {
      for_channels(y, columns, [&](int d, int n) { return gelu(load_first(y + d, n)); });
    } else {
      for_channels(y, columns, [&](int d, int n) { return silu(load_first(y + d, n)); });
    }
  }
}

EXPORT void linear(
    const float* x,       // [rows, I]
    const float* packed,  // of linear_pack
    const float* bias,    // [O], or null
    float* y,             // [rows, O], the result
    int rows,
    int inputs,            // I
    int outputs,           // O
    Activation activation  // 0 none, 1 gelu, 2 silu
) {
  const int panels = panels_of(outputs);
  const int fitting = CACHED_BYTES / ((inputs + 1) * PANEL * int(sizeof(float)));
  const int block = fitting > 1 ? fitting : 1;
  for (int first = 0; first < panels; first += block) {
    const int end = first + block < panels ? first + block : panels;
    const int column = first * PANEL;
    const int columns = (end * PANEL < outputs ? end * PANEL : outputs) - column;
    int row = 0;
    for (; row + TILE <= rows; row += TILE) {
      float* const to = y + size_t(row) * outputs;
      tiles<TILE>(x + size_t(row) * inputs, packed, bias, to, inputs, outputs, first, end);
      activate(to + column, TILE, outputs, columns, activation);
    }
    for (; row < rows; row++) {
      float* const to = y + size_t(row) * outputs;
      tiles<1>(x + size_t(row) * inputs, packed, bias, to, inputs, outputs, first, end);
      activate(to + column, 1, outputs, columns, activation);
    }
  }
}
