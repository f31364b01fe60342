// Elementary functions on four lanes. Coefficients are minimax fits for these ranges; each function states its error.
// NaN stays NaN.
#pragma once
#include "simd.h"

// V8 compiles f32x4.min and max to a sequence that orders zeros and NaN; these are one instruction on x64. If the first
// argument is NaN they return it.
INLINE v128_t smaller(v128_t a, v128_t b) { return wasm_f32x4_pmin(a, b); }
INLINE v128_t larger(v128_t a, v128_t b) { return wasm_f32x4_pmax(a, b); }

template <typename... Rest>
INLINE v128_t polynomial(v128_t x, float lowest, Rest... higher) {
  if constexpr (sizeof...(higher) == 0) {
    return splat(lowest);
  } else {
    return add(splat(lowest), mul(x, polynomial(x, higher...)));
  }
}

// e^x, relative error 2e-7; 0 below -87.4 and infinity above 88.4.
INLINE v128_t exponential(v128_t x) {
  x = smaller(larger(x, splat(-88.0f)), splat(89.0f));
  // Adding 3 * 2^22 rounds to an integer and leaves it in the lowest bits; with 127 more, as the exponent of 2^n.
  const v128_t shift = splat(12582912.0f + 127.0f);
  const v128_t shifted = add(mul(x, splat(1.44269504f)), shift);
  const v128_t n = sub(shifted, shift);
  // log(2) in two parts, so that the product of n and the first part is exact: |r| <= log(2) / 2.
  const v128_t r = sub(sub(x, mul(n, splat(0.693359375f))), mul(n, splat(-2.12194440e-4f)));
  const v128_t power = polynomial(r, 1.0f, 0.999999702f, 0.499991506f, 0.166676357f, 0.0418979302f, 0.00829031318f);
  return mul(power, wasm_i32x4_shl(shifted, 23));
}

// A decay is exp(-exp(log_a) * step), here 2^(rate * step).
INLINE v128_t rate_of(v128_t log_a) { return mul(splat(-1.44269504f), exponential(log_a)); }

// 2^x for -127.4 <= x <= 127.4, relative error 2e-7; 0 below -126.5.
INLINE v128_t power_of_two_within(v128_t x) {
  const v128_t shift = splat(12582912.0f + 127.0f);
  const v128_t shifted = add(x, shift);
  const v128_t r = sub(x, sub(shifted, shift));
  const v128_t power = polynomial(r, 1.0f, 0.69314694f, 0.24022232f, 0.055507794f, 0.009671999f, 0.0013254603f);
  return mul(power, wasm_i32x4_shl(shifted, 23));
}

// 2^x for x <= 127.4, relative error 2e-7; 0 below -126.5.
INLINE v128_t power_of_two_below(v128_t x) { return power_of_two_within(larger(x, splat(-127.0f))); }

// 2^x, relative error 2e-7; 0 below -126.5 and infinity above 127.5. A fifth fewer instructions than e^x, because the
// fractional part is exact.
INLINE v128_t power_of_two(v128_t x) { return power_of_two_below(smaller(x, splat(128.0f))); }

// log(1 + u) for 0 <= u <= 1 as 2 atanh(u / (2 + u)), relative error 2e-7.
INLINE v128_t log_one_plus(v128_t u) {
  const v128_t t = div(u, add(splat(2.0f), u));
  return mul(t, polynomial(mul(t, t), 2.0f, 0.666664183f, 0.400215268f, 0.280018032f, 0.280119896f));
}

// softplus(x[d] + bias[d]) of a row: log(1 + e^x) without overflow. The constants of the exponential and of the
// logarithm together exceed the registers of x64: a single loop takes 1.3 times as long as two.
INLINE void softplus_row(const float* x, const float* bias, float* to, int channels) {
  for_channels(to, channels, [&](Channel d, int n) {
    const v128_t sum = add(load_first(x + d, n), load_first(bias + d, n));
    return exponential(wasm_v128_or(sum, splat(-0.0f)));  // e^-|sum|
  });
  for_channels(to, channels, [&](Channel d, int n) {
    const v128_t sum = add(load_first(x + d, n), load_first(bias + d, n));
    return add(larger(sum, zero()), log_one_plus(load_first(to + d, n)));
  });
}

// x / (1 + e^-x), relative error 2e-7, plus 4e-8 for each unit of -x.
INLINE v128_t silu(v128_t x) { return div(x, add(splat(1.0f), power_of_two(mul(splat(-1.44269504f), x)))); }

// The derivative of silu: gate * (1 + x * (1 - gate)) with gate = 1 / (1 + e^-x).
INLINE v128_t silu_slope(v128_t x) {
  const v128_t one = splat(1.0f), gate = div(one, add(one, exponential(wasm_f32x4_neg(x))));
  return mul(gate, add(one, mul(x, sub(one, gate))));
}

struct NormalTail {
  v128_t power;    // e^(-a^2 / 2)
  v128_t outside;  // P(X > a)
};

// Tails beyond this are treated as 0.
constexpr float LAST_TAIL = 13.28f;

// For a standard normal X, 0 <= a <= LAST_TAIL, absolute error 1e-7: a polynomial of t = 1 / (1 + 0.2316419 a) times
// the power (Abramowitz and Stegun, 7.1.26).
INLINE NormalTail normal_tail(v128_t a) {
  const v128_t t = div(splat(1.0f), add(splat(1.0f), mul(splat(0.231641888f), a)));
  const v128_t p = polynomial(t, 0.127414796f, -0.142248368f, 0.710706871f, -0.726576014f, 0.530702714f);
  const v128_t power = power_of_two_within(mul(splat(-0.72134752f), mul(a, a)));
  return {power, mul(mul(p, t), power)};
}

// x * P(X <= x) for a standard normal X, absolute error 2e-7 plus the rounding of the result: max(x, 0) - a * P(X > a)
// with a = |x|.
INLINE v128_t gelu(v128_t x) {
  const v128_t a = smaller(wasm_f32x4_abs(x), splat(LAST_TAIL));
  return sub(larger(x, zero()), mul(a, normal_tail(a).outside));
}

// The derivative of gelu: P(X <= x) + x * the density at x.
INLINE v128_t gelu_slope(v128_t x) {
  const NormalTail tail = normal_tail(smaller(wasm_f32x4_abs(x), splat(LAST_TAIL)));
  const v128_t is_negative = wasm_f32x4_lt(x, zero());
  const v128_t below = wasm_v128_bitselect(tail.outside, sub(splat(1.0f), tail.outside), is_negative);
  return add(below, mul(x, mul(splat(0.39894228f), tail.power)));
}
