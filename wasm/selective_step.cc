// The step dt of a selective state-space model, and dt * x.
#include "simd_math.h"

EXPORT void selective_step(const float* dt,         // [rows, D]
                           const float* step_bias,  // [D]
                           const float* x,          // [rows, D]
                           float* step,             // [rows, D], the first result
                           float* delta_u,          // [rows, D], the second result
                           int rows,
                           int channels  // D
) {
  for (int row = 0; row < rows; row++) {
    softplus_row(dt, step_bias, step, channels);
    for_channels(delta_u, channels, [&](int d, int n) { return mul(load_first(step + d, n), load_first(x + d, n)); });
    dt += channels;
    x += channels;
    step += channels;
    delta_u += channels;
  }
}
