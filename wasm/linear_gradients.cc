// Gradients of a linear layer: products with its weights transposed, and sums of outer products.
#include <cstring>

#include "outer_products.h"

// Bytes of scratch memory that linear_input_gradient needs.
EXPORT int linear_input_gradient_scratch(int outputs  // columns that are used
) {
  return panels_of_block(outputs) * outputs * PANEL * int(sizeof(float));
}

// Panels of the transpose: row k of panel p holds weights[8p + 0 .. 8p + 7][first + k]; zero beyond the last row.
static void pack_transposed(const float* weights,  // [rows, columns]
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

EXPORT void linear_input_gradient(const float* dy,       // [rows, outputs]
                                  const float* weights,  // [I, columns]
                                  float* dx,             // [rows, I], the result
                                  float* scratch,        // of linear_input_gradient_scratch
                                  int rows,
                                  int inputs,  // I
                                  int columns,
                                  int first,   // of the columns that are used
                                  int outputs  // how many they are
) {
  const int panels = panels_of(inputs), block = panels_of_block(outputs);
  for (int begin = 0; begin < panels; begin += block) {
    const int end = begin + block < panels ? begin + block : panels;
    const int end_row = end * PANEL < inputs ? end * PANEL : inputs;
    pack_transposed(weights, scratch, begin * PANEL, end_row, columns, first, outputs);
    multiply_block(dy, scratch, nullptr, dx, rows, outputs, inputs, begin, end, [](float*, int, int) {});
  }
}

// Bytes of scratch memory that linear_weight_gradient needs.
EXPORT int linear_weight_gradient_scratch(int outputs  // columns that are used
) {
  return outer_scratch(outputs) * int(sizeof(float));
}

EXPORT void linear_weight_gradient(const float* x,   // [rows, I]
                                   const float* dy,  // [rows, outputs]
                                   float* dweights,  // [I, columns], the result
                                   float* scratch,   // of linear_weight_gradient_scratch
                                   int rows,
                                   int inputs,  // I
                                   int columns,
                                   int first,   // of the columns that are used
                                   int outputs  // how many they are
) {
  memset(dweights, 0, sizeof(float) * inputs * columns);
  const int block = rows_of_block(outputs);
  for (int row = 0; row < rows; row += block) {
    const int count = rows - row < block ? rows - row : block;
    const float *from = x + size_t(row) * inputs, *by = dy + size_t(row) * outputs;
    add_block(from, by, dweights + first, scratch, count, inputs, outputs, columns);
  }
}
