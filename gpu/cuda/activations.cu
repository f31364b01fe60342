/** Elementwise activations. */
#include "kernel.h"
#include "fours.h"

/** With erfc, which keeps its relative accuracy in the lower tail, where 1 + erf would cancel. */
KERNEL(gelu, THREADS, const float* __restrict__ x, float* __restrict__ y, int size) {
  mapFours(x, y, size, [](float v) { return 0.5f * v * erfcf(-0.70710678118654752f * v); });
}

KERNEL(silu, THREADS, const float* __restrict__ x, float* __restrict__ y, int size) {
  mapFours(x, y, size, [](float v) { return v / (1.0f + expf(-v)); });
}
