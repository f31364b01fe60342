// Copies of parts of rows.
#include "simd.h"

EXPORT void selective_split(const float* selected,  // [rows, R + 2 * N]
                            float* step,            // [rows, R], the first result
                            float* input_gate,      // [rows, N], the second
                            float* output_gate,     // [rows, N], the third
                            int rows,
                            int rank,   // R
                            int states  // N
) {
  for (int row = 0; row < rows; row++) {
    copy_row(step, selected, rank);
    copy_row(input_gate, selected + rank, states);
    copy_row(output_gate, selected + rank + states, states);
    selected += rank + 2 * states;
    step += rank;
    input_gate += states;
    output_gate += states;
  }
}

EXPORT void selective_join(const float* step,         // [rows, R]
                           const float* input_gate,   // [rows, N]
                           const float* output_gate,  // [rows, N]
                           float* selected,           // [rows, R + 2 * N], the result
                           int rows,
                           int rank,   // R
                           int states  // N
) {
  for (int row = 0; row < rows; row++) {
    copy_row(selected, step, rank);
    copy_row(selected + rank, input_gate, states);
    copy_row(selected + rank + states, output_gate, states);
    selected += rank + 2 * states;
    step += rank;
    input_gate += states;
    output_gate += states;
  }
}
