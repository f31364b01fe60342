// Softplus, exponentials and products in one pass over the activations.
#include "discretize.h"

EXPORT void discretize(const float* dt,          // [rows, D]
                       const float* step_bias,   // [D]
                       const float* log_a,       // [D, N]
                       const float* input_gate,  // [rows, N]
                       const float* x,           // [rows, D]
                       float* decay,             // [rows, D*N], the first result
                       float* input,             // [rows, D*N], the second result
                       float* scratch,           // [D*N + D]
                       int rows,
                       int channels,  // D
                       int states     // N
) {
  const size_t scanned = size_t(channels) * states;
  float* const rate = scratch;
  rates_of(log_a, rate, channels * states);
  for (int row = 0; row < rows; row++) {
    discretize_row(dt + size_t(row) * channels, step_bias, rate, input_gate + size_t(row) * states,
                   x + size_t(row) * channels, decay + row * scanned, input + row * scanned, scratch + scanned,
                   channels, states);
  }
}
