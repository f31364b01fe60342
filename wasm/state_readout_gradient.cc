// Gradients of two normalisations and the products around them, row by row in the first-level cache.
#include "normalization_gradients.h"

EXPORT void state_readout_gradient(const float* state,         // [rows, D]
                                   const float* output_gate,   // [rows]
                                   const float* x,             // [rows, D]
                                   const float* skip,          // [D]
                                   const float* gate,          // [rows, D]
                                   const float* state_gamma,   // [D]
                                   const float* state_beta,    // [D]
                                   const float* output_gamma,  // [D]
                                   const float* output_beta,   // [D]
                                   const float* dy,            // [rows, D]
                                   float* dstate,              // the results, of the shapes of the inputs
                                   float* doutput_gate,        //
                                   float* dx,                  //
                                   float* dskip,               //
                                   float* dgate,               //
                                   float* dstate_gamma,        //
                                   float* dstate_beta,         //
                                   float* doutput_gamma,       //
                                   float* doutput_beta,        //
                                   float* scratch,             // [6, D]
                                   int rows,
                                   int channels,  // D
                                   float epsilon  // added to both variances
) {
  RowTotals<5> totals = {{dskip, dstate_gamma, dstate_beta, doutput_gamma, doutput_beta}, scratch, channels};
  totals.clear();
  float* const mixed = scratch + 5 * channels;
  for (int row = 0; row < rows; row++) {
    const v128_t out = splat(output_gate[row]);
    const Moments of_state = moments_of(state, channels, epsilon);
    const auto read_at = [&](int d, int n) __attribute__((always_inline)) {
      const v128_t normalized = normalized_at(state, d, n, of_state);
      return add(mul(normalized, load_first(state_gamma + d, n)), load_first(state_beta + d, n));
    };
    for_channels(mixed, channels, [&](int d, int n) {
      return add(mul(read_at(d, n), out), mul(load_first(skip + d, n), load_first(x + d, n)));
    });
    const Moments of_output = moments_of(mixed, channels, epsilon);
    v128_t sum = zero(), slope = zero();
    for_vectors(channels, [&](int d, int n) {
      const v128_t gradient = load_first(dy + d, n), normalized = normalized_at(mixed, d, n, of_output);
      const v128_t gamma = load_first(output_gamma + d, n);
      const v128_t doutput = mul(gradient, load_first(gate + d, n)), scaled = mul(doutput, gamma);
      store_first(dgate + d, mul(gradient, add(mul(normalized, gamma), load_first(output_beta + d, n))), n);
      totals.add_to(3, d, mul(doutput, normalized), n);
      totals.add_to(4, d, doutput, n);
      sum = add(sum, scaled);
      slope = add(slope, mul(scaled, normalized));
      store_first(dx + d, scaled, n);
    });
    through_normalization(mixed, dx, channels, of_output, {sum_lanes(sum), sum_lanes(slope)});
    // dx holds the gradient of the normalised input: read * output_gate + skip * x.
    v128_t read = zero();
    sum = slope = zero();
    for_vectors(channels, [&](int d, int n) {
      const v128_t dmixed = load_first(dx + d, n), normalized = normalized_at(state, d, n, of_state);
      const v128_t dread = mul(dmixed, out), scaled = mul(dread, load_first(state_gamma + d, n));
      read = add(read, mul(dmixed, read_at(d, n)));
      totals.add_to(0, d, mul(dmixed, load_first(x + d, n)), n);
      totals.add_to(1, d, mul(dread, normalized), n);
      totals.add_to(2, d, dread, n);
      sum = add(sum, scaled);
      slope = add(slope, mul(scaled, normalized));
      store_first(dstate + d, scaled, n);
      store_first(dx + d, mul(dmixed, load_first(skip + d, n)), n);
    });
    doutput_gate[row] = sum_lanes(read);
    through_normalization(state, dstate, channels, of_state, {sum_lanes(sum), sum_lanes(slope)});
    totals.next_row();
    state += channels;
    x += channels;
    gate += channels;
    dy += channels;
    dstate += channels;
    dx += channels;
    dgate += channels;
  }
  totals.fold();
}
