/**
 * Functions of two tensors, element by element, with broadcasting. Each is two kernels: both inputs as long as the
 * output, and any strides.
 */
#include "kernel.h"
#include "fours.h"
#include "scalar_math.h"

#define BINARY(name, Input, Output, expression)                                                                       \
  static __device__ inline Output name##_of(const Input a, const Input b) { return (expression); }                    \
  KERNEL(name, THREADS, const Input* __restrict__ a, const Input* __restrict__ b, Output* __restrict__ y, int size) { \
    mapFours(a, b, y, size, name##_of);                                                                               \
  }                                                                                                                   \
  KERNEL(name##_broadcast, THREADS, const Input* __restrict__ a, const Input* __restrict__ b, Output* __restrict__ y, \
         int size, Axes axes, Strides aStrides, Strides bStrides) {                                                   \
    FOR_EACH(i, size) {                                                                                               \
      const uint2 places = placesOf(i, axes, aStrides, bStrides);                                                     \
      y[i] = name##_of(a[places.x], b[places.y]);                                                                     \
    }                                                                                                                 \
  }

using Boolean = unsigned char;

BINARY(add_f32, float, float, a + b)
BINARY(sub_f32, float, float, a - b)
BINARY(multiply_f32, float, float, a* b)
BINARY(real_div_f32, float, float, a / b)
BINARY(floor_div_f32, float, int, toInt32(floor((double)a / (double)b)))  // tfjs: an int32 whatever is divided
BINARY(maximum_f32, float, float, maximum(a, b))
BINARY(minimum_f32, float, float, minimum(a, b))
BINARY(mod_f32, float, float, modulo(a, b))
BINARY(pow_f32, float, float, power(a, b))
BINARY(squared_difference_f32, float, float, (a - b) * (a - b))
BINARY(atan2_f32, float, float, atan2f(a, b))
BINARY(prelu_f32, float, float, a < 0.0f ? a * b : a)
BINARY(elu_grad_f32, float, float, b >= 0.0f ? a : a * (b + 1.0f))

BINARY(add_i32, int, int, (unsigned)a + (unsigned)b)
BINARY(sub_i32, int, int, (unsigned)a - (unsigned)b)
BINARY(multiply_i32, int, int, (unsigned)a*(unsigned)b)
BINARY(real_div_i32, int, int, toInt32((double)a / (double)b))
BINARY(floor_div_i32, int, int, floorDivide(a, b))
BINARY(maximum_i32, int, int, a > b ? a : b)
BINARY(minimum_i32, int, int, a < b ? a : b)
BINARY(mod_i32, int, int, modulo(a, b))
BINARY(pow_i32, int, int, toInt32(rint(pow((double)a, (double)b))))  // pow may miss an integer by an ulp
BINARY(squared_difference_i32, int, int, ((unsigned)a - (unsigned)b) * ((unsigned)a - (unsigned)b))

#define COMPARISONS(suffix, Input)                       \
  BINARY(equal_##suffix, Input, Boolean, a == b)         \
  BINARY(not_equal_##suffix, Input, Boolean, a != b)     \
  BINARY(greater_##suffix, Input, Boolean, a > b)        \
  BINARY(greater_equal_##suffix, Input, Boolean, a >= b) \
  BINARY(less_##suffix, Input, Boolean, a < b)           \
  BINARY(less_equal_##suffix, Input, Boolean, a <= b)

COMPARISONS(f32, float)
COMPARISONS(i32, int)
COMPARISONS(bool, Boolean)

BINARY(logical_and_bool, Boolean, Boolean, a&& b)
BINARY(logical_or_bool, Boolean, Boolean, a || b)
