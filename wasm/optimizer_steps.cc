// Elementwise parameter updates, and the norm of gradients.
#include "rows.h"

EXPORT void adamw_step(const float* value,                  // [size]
                       const float* gradient,               // [size]
                       const float* m,                      // [size]
                       const float* v,                      // [size]
                       float* updated,                      // [size], the first result
                       float* mean,                         // [size], the second
                       float* variance,                     // [size], the third
                       int size, float beta1, float rest1,  // 1 - beta1
                       float beta2, float rest2,            // 1 - beta2
                       float epsilon, float keep, float rate, float correction) {
  const auto step = [&](int i, int n) __attribute__((always_inline)) {
    const v128_t g = load_first(gradient + i, n);
    const v128_t new_m = add(mul(load_first(m + i, n), splat(beta1)), mul(g, splat(rest1)));
    const v128_t new_v = add(mul(load_first(v + i, n), splat(beta2)), mul(mul(g, g), splat(rest2)));
    store_first(mean + i, new_m, n);
    store_first(variance + i, new_v, n);
    const v128_t deviation = add(mul(wasm_f32x4_sqrt(new_v), splat(correction)), splat(epsilon));
    const v128_t kept = mul(load_first(value + i, n), splat(keep));
    return sub(kept, mul(div(new_m, deviation), splat(rate)));
  };
  for_channels(updated, size, step);
}

EXPORT void momentum_step(const float* value,     // [size]
                          const float* gradient,  // [size]
                          const float* velocity,  // [size], or null: zeros
                          float* updated,         // [size], the first result
                          float* next,            // [size], the second
                          int size, float momentum, float decay, float rate, bool nesterov) {
  for_channels(updated, size, [&](int i, int n) {
    const v128_t old = load_first(value + i, n);
    const v128_t g = add(load_first(gradient + i, n), mul(old, splat(decay)));
    const v128_t sum = velocity ? add(mul(load_first(velocity + i, n), splat(momentum)), g) : g;
    store_first(next + i, sum, n);
    const v128_t step = nesterov ? add(g, mul(sum, splat(momentum))) : sum;
    return sub(old, mul(step, splat(rate)));
  });
}

EXPORT void scale_by(const float* x,       // [size]
                     const float* factor,  // one number
                     float* y,             // [size], the result
                     int size) {
  const v128_t by = splat(*factor);
  for_channels(y, size, [&](int i, int n) { return mul(load_first(x + i, n), by); });
}

// Number of squares per partial sum: rounding errors accumulate within a part and over the parts.
constexpr int PART = 1024;

EXPORT void square_sum(const float* x,  // [size]
                       float* y,        // one number, the result
                       int size) {
  double sum = 0;
  for (int first = 0; first < size; first += PART) {
    const int count = size - first < PART ? size - first : PART;
    sum += sum_channels(count, [&](int d, int n) {
      const v128_t values = load_first(x + first + d, n);
      return mul(values, values);
    });
  }
  *y = float(sum);
}
