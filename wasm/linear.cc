// Matrix products. For few rows, the weights are read in place; for more, they are packed. The register tile is 4 rows
// x 8 columns: eight sums, two registers of weights and one splat value fit the 16 registers of x64 (6 x 8 spills).
// Every path adds the terms of a sum in the same order.
#include "activate.h"
#include "panels.h"

// Columns whose sums, 16 KB, stay in the first-level cache.
constexpr int CACHED_SUMS = 4096;

EXPORT void linear_pack(const float* weights,  // [I, columns]
                        float* packed,         // of pack_panels
                        int inputs,            // I
                        int columns,
                        int first,  // column
                        int end     // behind the last column
) {
  pack_panels(weights, packed, inputs, columns, first, end);
}

// Adds `residual` to a part of `rows` rows that has just been written, while it is in the first-level cache. Not
// inlined, for the same reason as activate.
__attribute__((noinline)) static void add_rows(float* y, const float* residual, int rows, int outputs, int columns) {
  for (int r = 0; r < rows; r++, y += outputs, residual += outputs) {
    for_channels(y, columns, [&](Channel d, int n) { return add(load_first(residual + d, n), load_first(y + d, n)); });
  }
}

// The columns of the panels from `first` to `end`, with packed weights.
EXPORT void linear(const float* x,         // [rows, I]
                   const float* packed,    // of linear_pack
                   const float* bias,      // [O], or null
                   const float* residual,  // [rows, O], added after the activation, or null
                   float* y,               // [rows, O], the result
                   int rows,
                   int inputs,            // I
                   int outputs,           // O
                   int first,             // panel
                   int end,               // behind the last panel
                   Activation activation  // of the sums
) {
  const int block = panels_of_block(inputs);
  const auto then = [&](float* to, int rows, int columns) {
    activate(to, rows, outputs, columns, activation);
    if (residual) add_rows(to, residual + (to - y), rows, outputs, columns);
  };
  // If the weights are several blocks, as many rows are multiplied at a time as fit the last-level cache.
  const int most = end - first <= block ? rows : rows_in_cache(inputs);
  for (int row = 0; row < rows; row += most) {
    const int count = rows - row < most ? rows - row : most;
    for (int panel = first; panel < end; panel += block) {
      const float* const from = packed + size_t(panel) * inputs * PANEL;
      const int behind = panel + block < end ? panel + block : end;
      multiply_block(x + size_t(row) * inputs, from, bias, y + size_t(row) * outputs, count, inputs, outputs, panel,
                     behind, then);
    }
  }
}

// y += x[0] * weights[0] + ... + x[COUNT - 1] * weights[COUNT - 1], rows of weights.
template <int COUNT>
INLINE void accumulate(const float* x, const float* weights, float* y, int columns, int outputs) {
  v128_t values[COUNT];
  const float* rows[COUNT];
#pragma unroll
  for (int k = 0; k < COUNT; k++) {
    values[k] = splat(x[k]);
    rows[k] = weights + size_t(k) * columns;
  }
  const auto sum = [&](int o, int n) __attribute__((always_inline)) {
    v128_t sum = load_first(y + o, n);
#pragma unroll
    for (int k = 0; k < COUNT; k++) sum = add_product(sum, values[k], load_first(rows[k] + o, n));
    return sum;
  };
  int o = 0;
#pragma clang loop unroll(disable)
  for (; o + 4 * LANES <= outputs; o += 4 * LANES) {
    v128_t sums[4];
#pragma unroll
    for (int i = 0; i < 4; i++) sums[i] = sum(o + i * LANES, LANES);
#pragma unroll
    for (int i = 0; i < 4; i++) store(y + o + i * LANES, sums[i]);
  }
  for (; o < outputs; o += LANES) {
    const int n = outputs - o < LANES ? outputs - o : LANES;
    store_first(y + o, sum(o, n), n);
  }
}

// The same for few rows, such as a token: reading the weights dominates, and they are read once, in order. If the sums
// fit the first-level cache, one row of weights is added at a time, so that memory is read as a single stream;
// otherwise four rows, so that the sums are read less often.
EXPORT void linear_streaming(const float* x,         // [rows, I]
                             const float* weights,   // [I, columns]
                             const float* bias,      // [O], or null
                             const float* residual,  // [rows, O], as in linear
                             float* y,               // [rows, O], the result
                             int rows,
                             int inputs,  // I
                             int columns,
                             int first_output,      // column
                             int outputs,           // O
                             Activation activation  // of the sums
) {
  for (int row = 0; row < rows; row++) {
    float* const to = y + size_t(row) * outputs;
    for_channels(to, outputs, [&](int o, int n) { return bias ? load_first(bias + o, n) : zero(); });
  }
  const int count = outputs > CACHED_SUMS ? 4 : 1;
  const float* from = weights + first_output;
  int k = 0;
  for (; k + count <= inputs; k += count, from += size_t(count) * columns) {
    for (int row = 0; row < rows; row++) {
      const float* const values = x + size_t(row) * inputs + k;
      float* const to = y + size_t(row) * outputs;
      if (count == 4) {
        accumulate<4>(values, from, to, columns, outputs);
      } else {
        accumulate<1>(values, from, to, columns, outputs);
      }
    }
  }
  for (; k < inputs; k++, from += columns) {
    for (int row = 0; row < rows; row++) {
      accumulate<1>(x + size_t(row) * inputs + k, from, y + size_t(row) * outputs, columns, outputs);
    }
  }
  activate(y, rows, outputs, outputs, activation);
  if (residual) add_rows(y, residual, rows, outputs, outputs);
}
