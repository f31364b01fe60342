/** Decays and inputs of a scan from dt. */
#include "kernel.h"
#include "indexing.h"
#include "scalar_math.h"

/** One thread per element of the result, [rows, D, N]. */
KERNEL(discretize, THREADS, const float* __restrict__ dt, const float* __restrict__ stepBias,
       const float* __restrict__ logA, const float* __restrict__ inputGate, const float* __restrict__ x,
       float* __restrict__ decay, float* __restrict__ input, int size, int channels, int states) {
  FOR_EACH(i, size) {
    const unsigned at = i / states, n = i - at * states;
    const unsigned row = at / channels, d = at - row * channels;
    const float step = softplus(dt[at] + stepBias[d]);
    decay[i] = expf(-expf(logA[d * states + n]) * step);
    input[i] = step * inputGate[row * states + n] * x[at];
  }
}
