// Gradients of softplus, exponentials and products, in one pass over the activations.
#include "row_totals.h"
#include "rows.h"
#include "simd_math.h"

EXPORT void discretize_gradient(const float* dt,          // [rows, D]
                                const float* step_bias,   // [D]
                                const float* log_a,       // [D, N]
                                const float* input_gate,  // [rows, N]
                                const float* x,           // [rows, D]
                                const float* ddecay,      // [rows, D*N]
                                const float* dinput,      // [rows, D*N]
                                float* dstep,             // the results, of the shapes of the inputs
                                float* dbias,             //
                                float* dlog_a,            //
                                float* dgate,             //
                                float* dx,                //
                                float* scratch,           // [2 * D*N + 3 * D]
                                int rows,
                                int channels,  // D
                                int states     // N
) {
  const int size = channels * states;
  float* const rate = scratch;
  float* const step = rate + size;
  float* const slope = step + channels;  // of softplus
  RowTotals<1> biases = {{dbias}, slope + channels, channels};
  RowTotals<1> rates = {{dlog_a}, biases.partial + channels, size};
  biases.clear();
  rates.clear();
  for_channels(rate, size, [&](int i, int n) { return wasm_f32x4_neg(exponential(load_first(log_a + i, n))); });
  for (int row = 0; row < rows; row++) {
    for_vectors(channels, [&](int d, int n) {
      const v128_t raw = add(load_first(dt + d, n), load_first(step_bias + d, n));
      const v128_t power = exponential(wasm_f32x4_neg(wasm_f32x4_abs(raw)));
      const v128_t inverse = div(splat(1.0f), add(splat(1.0f), power));
      store_first(step + d, add(larger(raw, zero()), log_one_plus(power)), n);
      const v128_t is_negative = wasm_f32x4_lt(raw, zero());
      store_first(slope + d, wasm_v128_bitselect(mul(power, inverse), inverse, is_negative), n);
    });
    if (states == 1) {
      const v128_t gate = splat(*input_gate);
      *dgate = sum_channels(channels, [&](int d, int n) {
        const v128_t step_d = load_first(step + d, n), rate_d = load_first(rate + d, n);
        const v128_t gradient = load_first(dinput + d, n), value = load_first(x + d, n);
        const v128_t drate = mul(load_first(ddecay + d, n), exponential(mul(rate_d, step_d)));
        const v128_t along = mul(drate, rate_d);
        const v128_t draw = mul(add(along, mul(gradient, mul(gate, value))), load_first(slope + d, n));
        store_first(dstep + d, draw, n);
        store_first(dx + d, mul(gradient, mul(step_d, gate)), n);
        biases.add_to(0, d, draw, n);
        rates.add_to(0, d, mul(along, step_d), n);
        return mul(gradient, mul(step_d, value));
      });
    } else {
      for_channels(dgate, states, [](int, int) { return zero(); });
      for (int d = 0; d < channels; d++) {
        const v128_t step_d = splat(step[d]), value = splat(x[d]);
        v128_t of_step = zero(), of_x = zero();
        for_vectors(states, [&](int s, int n) {
          const int at = d * states + s;
          const v128_t rate_d = load_first(rate + at, n), gate = load_first(input_gate + s, n);
          const v128_t gradient = load_first(dinput + at, n);
          const v128_t drate = mul(load_first(ddecay + at, n), exponential(mul(rate_d, step_d)));
          const v128_t along = mul(drate, rate_d);
          of_step = add(of_step, add(along, mul(gradient, mul(gate, value))));
          of_x = add(of_x, mul(gradient, mul(step_d, gate)));
          rates.add_to(0, at, mul(along, step_d), n);
          store_first(dgate + s, add(load_first(dgate + s, n), mul(gradient, mul(step_d, value))), n);
        });
        dstep[d] = sum_lanes(of_step) * slope[d];
        dx[d] = sum_lanes(of_x);
      }
      for_vectors(channels, [&](int d, int n) { biases.add_to(0, d, load_first(dstep + d, n), n); });
    }
    biases.next_row();
    rates.next_row();
    dt += channels;
    x += channels;
    input_gate += states;
    ddecay += size;
    dinput += size;
    dstep += channels;
    dgate += states;
    dx += channels;
  }
  biases.fold();
  rates.fold();
}
