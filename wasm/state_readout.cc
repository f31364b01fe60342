// Two normalisations and the products around them, row by row in the first-level cache.
#include "rows.h"

EXPORT void state_readout(const float* state,         // [rows, D]
                          const float* output_gate,   // [rows]
                          const float* x,             // [rows, D]
                          const float* skip,          // [D]
                          const float* gate,          // [rows, D]
                          const float* state_gamma,   // [D]
                          const float* state_beta,    // [D]
                          const float* output_gamma,  // [D]
                          const float* output_beta,   // [D]
                          float* y,                   // [rows, D], the result
                          int rows,
                          int channels,  // D
                          float epsilon  // added to both variances
) {
  for (int row = 0; row < rows; row++) {
    const Moments of_state = moments_of(state, channels, epsilon);
    const v128_t out = splat(output_gate[row]);
    for_channels(y, channels, [&](Channel d, int n) {
      const v128_t normalized = mul(sub(load_first(state + d, n), of_state.mean), of_state.inverse_deviation);
      const v128_t read = add(mul(normalized, load_first(state_gamma + d, n)), load_first(state_beta + d, n));
      return add(mul(read, out), mul(load_first(skip + d, n), load_first(x + d, n)));
    });
    const Moments of_output = moments_of(y, channels, epsilon);
    for_channels(y, channels, [&](Channel d, int n) {
      const v128_t normalized = mul(sub(load_first(y + d, n), of_output.mean), of_output.inverse_deviation);
      const v128_t output = add(mul(normalized, load_first(output_gamma + d, n)), load_first(output_beta + d, n));
      return mul(output, load_first(gate + d, n));
    });
    state += channels;
    x += channels;
    gate += channels;
    y += channels;
  }
}
