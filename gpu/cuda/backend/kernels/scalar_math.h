/** Functions of one or two numbers as JavaScript, and so tfjs, defines them. */
#pragma once

constexpr float SELU_SCALE = 1.0507009873554804934193349852946f;
constexpr float SELU_ALPHA = 1.6732632423543772848170429916717f * SELU_SCALE;

/** Math.max and Math.min: NaN wins, unlike fmaxf. */
__device__ inline float maximum(float a, float b) { return a != a || a > b ? a : b; }
__device__ inline float minimum(float a, float b) { return a != a || a < b ? a : b; }

/** Math.pow: 1 to the power of NaN or of an infinity is NaN, unlike powf. */
__device__ inline float power(float a, float b) {
  return fabsf(a) == 1.0f && !(fabsf(b) < INFINITY) ? NAN : powf(a, b);
}

/** log(1 + exp(x)), without overflow. */
__device__ inline float softplus(float x) { return maximum(x, 0.0f) + log1pf(expf(-fabsf(x))); }

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ inline float clip(float x, float low, float high) { return x > high ? high : x < low ? low : x; }

/** The remainder with the sign of the divisor. */
__device__ inline float modulo(float a, float b) {
  const float rest = fmodf(a, b);
  return (a < 0.0f) == (b < 0.0f) ? rest : fmodf(rest + b, b);
}
__device__ inline int modulo(int a, int b) {
  if (b == 0) return 0;
  const long long rest = (long long)a % b;
  return (int)((a < 0) == (b < 0) ? rest : (rest + b) % b);
}

/** A number as an int32, as typed arrays of JavaScript store it: towards 0, modulo 2^32, NaN and infinities as 0. */
__device__ inline int toInt32(double x) {
  if (!(fabs(x) < INFINITY)) return 0;
  return (int)(unsigned)(long long)fmod(trunc(x), 4294967296.0);
}

/**
 * Rounds down. In double: the quotient of two int32 values is exact enough there. Not every quotient is an int32:
 * -2^31 / -1, and what is divided by 0.
 */
__device__ inline int floorDivide(int a, int b) { return toInt32(floor((double)a / (double)b)); }
