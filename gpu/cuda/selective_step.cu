/** The step dt of a selective state-space model, and dt * x. */
#include "kernel.h"
#include "indexing.h"
#include "scalar_math.h"

KERNEL(selective_step, THREADS, const float* __restrict__ dt, const float* __restrict__ stepBias,
       const float* __restrict__ x, float* __restrict__ step, float* __restrict__ deltaU, int size, int channels) {
  FOR_EACH(i, size) {
    const float s = softplus(dt[i] + stepBias[i % channels]);
    step[i] = s;
    deltaU[i] = s * x[i];
  }
}
