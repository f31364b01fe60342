// The recurrence of a selective state-space model. Decays and inputs stay in registers.
#include "selective_scan.h"

#include <cstring>

// Texts shorter than this are processed token by token, with four states in the lanes: for one token, as in decoding,
// reading the states dominates, and they are stored in that order.
constexpr int SHORT = 4;

// to[i] = rate_of(log_a[i])
EXPORT void selective_scan_rates(const float* log_a,  // [D, N]
                                 float* to,           // [D, N], the result
                                 int size             // D * N
) {
  for_channels(to, size, [&](int i, int n) { return rate_of(load_first(log_a + i, n)); });
}

// Advances one token: h = decay * h + input in place, and the output of every channel.
static void advance(const float* step, const float* delta_u, const float* rate, const float* input_gate,
                    const float* output_gate, float* h, float* y, float input_scale, int channels, int states) {
  for (int d = 0; d < channels; d++, rate += states, h += states) {
    const v128_t step_d = splat(step[d]), delta_u_d = splat(input_scale * delta_u[d]);
    v128_t sum = zero();
    for (int n = 0; n < states; n += LANES) {
      const int count = states - n < LANES ? states - n : LANES;
      const v128_t decay = power_of_two(mul(load_first(rate + n, count), step_d));
      const v128_t next = add(mul(decay, load_first(h + n, count)), mul(delta_u_d, load_first(input_gate + n, count)));
      store_first(h + n, next, count);
      sum = add(sum, mul(next, load_first(output_gate + n, count)));
    }
    y[d] = sum_lanes(sum);
  }
}

EXPORT void selective_scan(const float* step,         // [B, L, D]
                           const float* delta_u,      // [B, L, D]
                           const float* rate,         // [D, N], of selective_scan_rates
                           const float* input_gate,   // [B, L, N]
                           const float* output_gate,  // [B, L, N]
                           const float* state,        // [B, D, N], or null for zeros
                           float* y,                  // [B, L, D], the first result
                           float* next_state,         // [B, D, N], the second result
                           float* scratch,            // [7 * L, 4] and two gates [L, N]
                           int batch,                 // B
                           int length,                // L
                           int channels,              // D
                           int states,                // N
                           float input_scale          // of what every token adds
) {
  const Sizes sizes = {length, channels, states};
  const Block block = block_in(scratch, sizes);
  const size_t state_size = size_t(channels) * states;
  for (int b = 0; b < batch; b++) {
    if (length < SHORT) {
      if (state) {
        std::memcpy(next_state, state, state_size * sizeof(float));
      } else {
        std::memset(next_state, 0, state_size * sizeof(float));
      }
    }
    for (int t = 0; length < SHORT && t < length; t++) {
      advance(step + size_t(t) * channels, delta_u + size_t(t) * channels, rate, input_gate + size_t(t) * states,
              output_gate + size_t(t) * states, next_state, y + size_t(t) * channels, input_scale, channels, states);
    }
    if (length >= SHORT) {
      pair_states(input_gate, block.input_gate, input_scale, sizes);
      pair_states(output_gate, block.output_gate, 1.0f, sizes);
    }
    for (int d = 0; length >= SHORT && d < channels; d += LANES) {
      const int count = channels - d < LANES ? channels - d : LANES;
      load_block(block, step, delta_u, sizes, d, count);
      for (int n = 0; n < states; n += 2) {
        const int used = states - n < 2 ? 1 : 2;
        v128_t rates[2], h[2];
        for (int k = 0; k < used; k++) {
          const size_t at = size_t(d) * states + n + k;
          rates[k] = load_lanes(rate + at, states, count);
          h[k] = state ? load_lanes(state + at, states, count) : zero();
        }
        if (used == 2) {
          recur<2, false>(block, rates, h, n, length);
        } else {
          recur<1, false>(block, rates, h, n, length);
        }
        for (int k = 0; k < used; k++) store_lanes(next_state + size_t(d) * states + n + k, states, count, h[k]);
      }
      store_block(block, y, sizes, d, count);
    }
    step += size_t(length) * channels;
    delta_u += size_t(length) * channels;
    y += size_t(length) * channels;
    input_gate += size_t(length) * states;
    output_gate += size_t(length) * states;
    next_state += state_size;
    if (state) state += state_size;
  }
}
