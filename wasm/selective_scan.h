// What both selective scans share. Lanes are four channels; one pass handles two of their states, so that the latency
// of one recurrence hides behind the other, and all that it touches fits the first cache.
#pragma once
#include "simd_math.h"

struct Sizes {
  int length;    // L
  int channels;  // D
  int states;    // N
};

// Memory of a block of four channels.
struct Block {
  v128_t* step;   // [L]
  v128_t* drive;  // [L]
  v128_t* y;      // [L]
  v128_t* decay;  // [L, 2]
  v128_t* sums;   // [L, 2]
};

INLINE Block block_in(float* scratch, int length) {
  v128_t* const at = reinterpret_cast<v128_t*>(scratch);
  return {at, at + length, at + 2 * length, at + 3 * length, at + 5 * length};
}

// Four values, `stride` apart; the lanes beyond `count` are zero.
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

// Steps and drives of `count` channels from d on, and no output yet.
INLINE void load_block(const Block& block, const float* step, const float* drive, const Sizes& sizes, int d, int count) {
  for (int t = 0; t < sizes.length; t++) {
    const size_t at = size_t(t) * sizes.channels + d;
    block.step[t] = load_first(step + at, count);
    block.drive[t] = load_first(drive + at, count);
    block.y[t] = zero();
  }
}

INLINE void store_block(const Block& block, float* y, const Sizes& sizes, int d, int count) {
  for (int t = 0; t < sizes.length; t++) store_first(y + size_t(t) * sizes.channels + d, block.y[t], count);
}

// The recurrence of STATES states of a block from h on, and its part of the output. With KEEP the decays and the inputs
// stay in the block.
template <int STATES, bool KEEP>
INLINE void recur(const Block& block, const v128_t* rate, v128_t* h, const float* input_gate, const float* output_gate,
                  float input_scale, const Sizes& sizes) {
  for (int t = 0; t < sizes.length; t++, input_gate += sizes.states, output_gate += sizes.states) {
#pragma unroll
    for (int k = 0; k < STATES; k++) {
      const v128_t decay = exponential(mul(rate[k], block.step[t]));
      const v128_t input = mul(block.drive[t], splat(input_scale * input_gate[k]));
      if (KEEP) {
        block.decay[t * STATES + k] = decay;
        block.sums[t * STATES + k] = input;
      }
      h[k] = add(mul(decay, h[k]), input);
      block.y[t] = add(block.y[t], mul(h[k], splat(output_gate[k])));
    }
  }
}
