// Decay and input of a tree scan, from steps before softplus.
#pragma once
#include "simd_math.h"

// The rates of decays, for powers of two: see rate_of.
INLINE void rates_of(const float* log_a, float* rate, int size) {
  for_channels(rate, size, [&](Channel i, int n) { return rate_of(load_first(log_a + i, n)); });
}

// A row of D channels with N states each.
INLINE void discretize_row(const float* dt,          // [D]
                           const float* step_bias,   // [D]
                           const float* rate,        // [D, N], of rates_of
                           const float* input_gate,  // [N]
                           const float* x,           // [D]
                           float* decay,             // [D*N], the first result
                           float* input,             // [D*N], the second result
                           float* step,              // [D], scratch memory
                           int channels, int states) {
  softplus_row(dt, step_bias, step, channels);
  if (states == 1) {
    const v128_t gate = splat(*input_gate);
    for_channels(input, channels,
                 [&](Channel d, int n) { return mul(mul(load_first(step + d, n), gate), load_first(x + d, n)); });
    for_channels(decay, channels, [&](Channel d, int n) {
      return power_of_two_below(mul(load_first(rate + d, n), load_first(step + d, n)));
    });
    return;
  }
  for (int d = 0; d < channels; d++, rate += states, decay += states, input += states) {
    const v128_t step_d = splat(step[d]), x_d = splat(x[d]);
    for_channels(decay, states,
                 [&](Channel s, int n) { return power_of_two_below(mul(load_first(rate + s, n), step_d)); });
    for_channels(input, states, [&](Channel s, int n) { return mul(mul(step_d, load_first(input_gate + s, n)), x_d); });
  }
}
