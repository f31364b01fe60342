// Softplus, exponentials and products in one pass over the activations.
#include "simd_math.h"

// rate[i] = -exp(logA[i])
static void rates(const float* log_a, float* rate, int size) {
  for_channels(rate, size, [&](int i, int n) { return wasm_f32x4_neg(exponential(load_first(log_a + i, n))); });
}

EXPORT void discretize(const float* raw_step,    // [rows, D]
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
  float* const rate = scratch;
  float* const step = scratch + channels * states;
  rates(log_a, rate, channels * states);
  for (int row = 0; row < rows; row++) {
    for_channels(step, channels, [&](int d, int n) {
      return softplus(add(load_first(raw_step + d, n), load_first(step_bias + d, n)));
    });
    if (states == 1) {
      const v128_t gate = splat(*input_gate);
      for_channels(decay, channels,
                   [&](int d, int n) { return exponential(mul(load_first(rate + d, n), load_first(step + d, n))); });
      for_channels(input, channels,
                   [&](int d, int n) { return mul(mul(load_first(step + d, n), gate), load_first(x + d, n)); });
    } else {
      for (int d = 0; d < channels; d++) {
        const v128_t step_d = splat(step[d]), x_d = splat(x[d]);
        const float* const rate_d = rate + d * states;
        for_channels(decay + d * states, states,
                     [&](int s, int n) { return exponential(mul(load_first(rate_d + s, n), step_d)); });
        for_channels(input + d * states, states,
                     [&](int s, int n) { return mul(mul(step_d, load_first(input_gate + s, n)), x_d); });
      }
    }
    raw_step += channels;
    x += channels;
    input_gate += states;
    decay += channels * states;
    input += channels * states;
  }
}
