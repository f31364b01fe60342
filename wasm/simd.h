// Shared by all kernels: four float32 lanes, loads and stores of fewer than four, and loops over rows.
#pragma once
#include <wasm_simd128.h>

#include <cstddef>
#include <cstdint>

#include "constants.h"

// C linkage, and kept by the linker.
#define EXPORT extern "C" __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
#define INLINE_MEMBER inline __attribute__((always_inline))

INLINE v128_t load(const float* from) { return wasm_v128_load(from); }
INLINE void store(float* to, v128_t values) { wasm_v128_store(to, values); }
INLINE v128_t splat(float value) { return wasm_f32x4_splat(value); }
INLINE v128_t zero() { return wasm_f32x4_const(0, 0, 0, 0); }
INLINE v128_t add(v128_t a, v128_t b) { return wasm_f32x4_add(a, b); }
INLINE v128_t sub(v128_t a, v128_t b) { return wasm_f32x4_sub(a, b); }
INLINE v128_t mul(v128_t a, v128_t b) { return wasm_f32x4_mul(a, b); }
INLINE v128_t div(v128_t a, v128_t b) { return wasm_f32x4_div(a, b); }

#ifdef RELAXED_SIMD
// The compiler only has a draft of f32x4.relaxed_madd: scripts/relaxed_simd.mjs replaces each call by the instruction.
extern "C" __attribute__((const)) v128_t relaxed_madd(v128_t a, v128_t b, v128_t sum);
#endif

// sum + a * b: rounded twice or, in the build for relaxed SIMD, as implemented by the processor, usually once.
INLINE v128_t add_product(v128_t sum, v128_t a, v128_t b) {
#ifdef RELAXED_SIMD
  return relaxed_madd(a, b, sum);
#else
  return add(sum, mul(a, b));
#endif
}

// The first `count` lanes, 0 to 4; the others are zero. Reads nothing beyond them.
INLINE v128_t load_first(const float* from, int count) {
  switch (count) {
    case 0: return zero();
    case 1: return wasm_v128_load32_zero(from);
    case 2: return wasm_v128_load64_zero(from);
    case 3: return wasm_v128_load32_lane(from + 2, wasm_v128_load64_zero(from), 2);
    default: return load(from);
  }
}

// The first `count` lanes, 0 to 4. Writes nothing beyond them.
INLINE void store_first(float* to, v128_t values, int count) {
  switch (count) {
    case 0: return;
    case 1: wasm_v128_store32_lane(to, values, 0); return;
    case 2: wasm_v128_store64_lane(to, values, 0); return;
    case 3:
      wasm_v128_store64_lane(to, values, 0);
      wasm_v128_store32_lane(to + 2, values, 2);
      return;
    default: store(to, values);
  }
}

// The first `count` lanes, 0 to 4; the others become zero.
INLINE v128_t first_lanes(v128_t values, int count) {
  const v128_t lane = wasm_i32x4_const(0, 1, 2, 3);
  return wasm_v128_and(values, wasm_i32x4_lt(lane, wasm_i32x4_splat(count)));
}

// (a0 + a2) + (a1 + a3): the upper half added to the lower half, twice.
INLINE float sum_lanes(v128_t a) {
  const v128_t halves = add(a, wasm_i32x4_shuffle(a, a, 2, 3, 2, 3));
  return wasm_f32x4_extract_lane(halves, 0) + wasm_f32x4_extract_lane(halves, 1);
}

// A channel of a row. `row + channel` adds `offset`, a constant, last: there it becomes part of the load or store,
// while the offset of a plain sum takes an instruction of its own.
struct Channel {
  int first;
  int offset;
  INLINE_MEMBER operator int() const { return first + offset; }
};
template <typename Number>
INLINE Number* operator+(Number* row, Channel channel) {
  return row + channel.first + channel.offset;
}

// to[d] = compute(d, count) for the channels d = 0, 4, 8, ..: `count` lanes of it, 4 except at the end. Two steps per
// iteration reduce the loop overhead and let loads of one step overlap the arithmetic of the other.
template <typename Compute>
INLINE void for_channels(float* to, int channels, const Compute& compute) {
  int d = 0;
  for (; d + 2 * LANES <= channels; d += 2 * LANES) {
    const v128_t first = compute(Channel{d, 0}, LANES);
    const v128_t second = compute(Channel{d, LANES}, LANES);
    store(to + d, first);
    store(to + d + LANES, second);
  }
  if (d + LANES <= channels) {
    store(to + d, compute(Channel{d, 0}, LANES));
    d += LANES;
  }
  if (d < channels) store_first(to + d, compute(Channel{d, 0}, channels - d), channels - d);
}

INLINE void copy_row(float* y, const float* x, int channels) {
  for_channels(y, channels, [&](Channel d, int n) { return load_first(x + d, n); });
}
