// Shared by both selective scans. Lanes are four channels; one pass processes two of their states, so that the latency
// of one recurrence is hidden by the other, and all data of the pass fits the first-level cache.
#pragma once
#include "simd_math.h"

struct Sizes {
  int length;    // L
  int channels;  // D
  int states;    // N
};

// Memory of a block of four channels.
struct Block {
  v128_t* step;     // [L]
  v128_t* delta_u;  // [L]
  v128_t* y;        // [L]
  v128_t* decay;    // [L, 2]
  v128_t* sums;     // [L, 2]
  // The gates of a text, by pairs of states [N / 2, L, 2], so that each pass reads its own contiguously; the last of an
  // odd number is separate, [L].
  float* input_gate;
  float* output_gate;
};

INLINE Block block_in(float* scratch, const Sizes& sizes) {
  const int length = sizes.length;
  v128_t* const at = reinterpret_cast<v128_t*>(scratch);
  float* const gates = reinterpret_cast<float*>(at + SCAN_VECTORS * length);
  return {at, at + length, at + 2 * length, at + 3 * length, at + 5 * length, gates, gates + length * sizes.states};
}

// Rearranges [L, N] by pairs of states, multiplied by a factor.
INLINE void pair_states(const float* gate, float* to, float factor, const Sizes& sizes) {
  for (int n = 0; n < sizes.states; n += 2) {
    const int used = sizes.states - n < 2 ? 1 : 2;
    for (int t = 0; t < sizes.length; t++) {
      for (int k = 0; k < used; k++) *to++ = factor * gate[size_t(t) * sizes.states + n + k];
    }
  }
}

// Loads four values, `stride` apart; the lanes beyond `count` are zero.
INLINE v128_t load_lanes(const float* from, int stride, int count) {
  float values[LANES] = {0, 0, 0, 0};
  for (int i = 0; i < count; i++) values[i] = from[size_t(i) * stride];
  return load(values);
}

INLINE void store_lanes(float* to, int stride, int count, v128_t lanes) {
  float values[LANES];
  store(values, lanes);
  for (int i = 0; i < count; i++) to[size_t(i) * stride] = values[i];
}

// Loads steps and drives of `count` channels from d on, and clears the output.
INLINE void load_block(const Block& block, const float* step, const float* delta_u, const Sizes& sizes, int d,
                       int count) {
  for (int t = 0; t < sizes.length; t++) {
    const size_t at = size_t(t) * sizes.channels + d;
    block.step[t] = load_first(step + at, count);
    block.delta_u[t] = load_first(delta_u + at, count);
    block.y[t] = zero();
  }
}

INLINE void store_block(const Block& block, float* y, const Sizes& sizes, int d, int count) {
  for (int t = 0; t < sizes.length; t++) store_first(y + size_t(t) * sizes.channels + d, block.y[t], count);
}

// The recurrence of STATES states of a block from n on, and its part of the output. With KEEP, decays and inputs are
// stored in the block.
template <int STATES, bool KEEP>
INLINE void recur(const Block& block, const v128_t* rate, v128_t* h, int n, int length) {
  const float* input_gate = block.input_gate + n * length;
  const float* output_gate = block.output_gate + n * length;
  for (int t = 0; t < length; t++, input_gate += STATES, output_gate += STATES) {
#pragma unroll
    for (int k = 0; k < STATES; k++) {
      const v128_t decay = power_of_two(mul(rate[k], block.step[t]));
      const v128_t input = mul(block.delta_u[t], wasm_v128_load32_splat(input_gate + k));
      if (KEEP) {
        block.decay[t * STATES + k] = decay;
        block.sums[t * STATES + k] = input;
      }
      h[k] = add(mul(decay, h[k]), input);
      block.y[t] = add(block.y[t], mul(h[k], wasm_v128_load32_splat(output_gate + k)));
    }
  }
}
