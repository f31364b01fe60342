// Gradients of a linear layer: products with its weights transposed, and sums of outer products.
#include <cstring>

#include "outer_products.h"

// Bytes of scratch memory that linear_input_gradient needs.
EXPORT int linear_input_gradient_scratch(int outputs  // columns that are used
) {
  return panels_of_block(outputs) * outputs * PANEL * int(sizeof(float));
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
