/** Elementwise functions of one tensor. */
#include "kernel.h"
#include "fours.h"
#include "scalar_math.h"

/** y[i] = expression of x[i], which it calls v. */
#define UNARY(name, Input, Output, expression)                                           \
  KERNEL(name, THREADS, const Input* __restrict__ x, Output* __restrict__ y, int size) { \
    mapFours(x, y, size, [](const Input v) -> Output { return (Output)(expression); });  \
  }
#define UNARY_FLOAT(name, expression) UNARY(name, float, float, expression)

UNARY_FLOAT(abs_f32, fabsf(v))
UNARY_FLOAT(acos_f32, acosf(v))
UNARY_FLOAT(acosh_f32, acoshf(v))
UNARY_FLOAT(asin_f32, asinf(v))
UNARY_FLOAT(asinh_f32, asinhf(v))
UNARY_FLOAT(atan_f32, atanf(v))
UNARY_FLOAT(atanh_f32, atanhf(v))
UNARY_FLOAT(ceil_f32, ceilf(v))
UNARY_FLOAT(cos_f32, cosf(v))
UNARY_FLOAT(cosh_f32, coshf(v))
UNARY_FLOAT(elu_f32, v >= 0.0f ? v : expm1f(v))
UNARY_FLOAT(erf_f32, erff(v))
UNARY_FLOAT(exp_f32, expf(v))
UNARY_FLOAT(expm1_f32, expm1f(v))
UNARY_FLOAT(floor_f32, floorf(v))
UNARY_FLOAT(log_f32, logf(v))
UNARY_FLOAT(log1p_f32, log1pf(v))
UNARY_FLOAT(neg_f32, -v)
UNARY_FLOAT(reciprocal_f32, 1.0f / v)
UNARY_FLOAT(relu_f32, maximum(v, 0.0f))
UNARY_FLOAT(relu6_f32, minimum(maximum(v, 0.0f), 6.0f))
UNARY_FLOAT(round_f32, rintf(v))  // ties to even
UNARY_FLOAT(rsqrt_f32, 1.0f / sqrtf(v))
UNARY_FLOAT(selu_f32, v >= 0.0f ? SELU_SCALE * v : SELU_ALPHA * expm1f(v))
UNARY_FLOAT(sigmoid_f32, sigmoid(v))
UNARY_FLOAT(sign_f32, v<0.0f ? -1.0f : v> 0.0f ? 1.0f : 0.0f)
UNARY_FLOAT(sin_f32, sinf(v))
UNARY_FLOAT(sinh_f32, sinhf(v))
UNARY_FLOAT(softplus_f32, softplus(v))
UNARY_FLOAT(sqrt_f32, sqrtf(v))
UNARY_FLOAT(square_f32, v* v)
UNARY_FLOAT(tan_f32, (float)tan((double)v))  // near its poles tanf is off by more than an ulp
UNARY_FLOAT(tanh_f32, tanhf(v))

UNARY(abs_i32, int, int, v < 0 ? -(unsigned)v : v)
UNARY(neg_i32, int, int, -(unsigned)v)
UNARY(relu_i32, int, int, v < 0 ? 0 : v)
UNARY(square_i32, int, int, (unsigned)v*(unsigned)v)
UNARY(sign_i32, int, int, v<0 ? -1 : v> 0 ? 1 : 0)

UNARY(is_nan_f32, float, unsigned char, v != v)
UNARY(is_inf_f32, float, unsigned char, fabsf(v) == INFINITY)
UNARY(is_finite_f32, float, unsigned char, fabsf(v) < INFINITY)
UNARY(logical_not_bool, unsigned char, unsigned char, !v)

UNARY(cast_f32_i32, float, int, toInt32(v))
UNARY(cast_f32_bool, float, unsigned char, v != 0.0f)  // NaN is not 0
UNARY(cast_i32_f32, int, float, (float)v)
UNARY(cast_i32_bool, int, unsigned char, v != 0)
UNARY(cast_bool_f32, unsigned char, float, (float)v)
UNARY(cast_bool_i32, unsigned char, int, (int)v)

/** Functions with one or two constants. */
#define UNARY_WITH(name, expression)                                                                             \
  KERNEL(name, THREADS, const float* __restrict__ x, float* __restrict__ y, int size, float alpha, float beta) { \
    mapFours(x, y, size, [=](const float v) { return (expression); });                                           \
  }

UNARY_WITH(clip_f32, clip(v, alpha, beta))
UNARY_WITH(leaky_relu_f32, v < 0.0f ? v * alpha : v)
UNARY_WITH(step_f32, v != v ? v : v > 0.0f ? 1.0f : alpha)

/** y[i] = v. */
KERNEL(fill_u8, THREADS, unsigned char* y, int size, int v) { FOR_EACH(i, size) y[i] = (unsigned char)v; }
