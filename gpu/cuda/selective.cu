/** Element by element: the activations, and what goes before a selective scan. */
#include "kernel.h"
#include "fours.h"
#include "indexing.h"
#include "scalar_math.h"

/** By erfc, which keeps its relative accuracy in the lower tail, where 1 + erf would cancel. */
KERNEL(gelu, 256, const float* __restrict__ x, float* __restrict__ y, int size) {
  mapFours(x, y, size, [](float v) { return 0.5f * v * erfcf(-0.70710678118654752f * v); });
}

KERNEL(silu, 256, const float* __restrict__ x, float* __restrict__ y, int size) {
  mapFours(x, y, size, [](float v) { return v / (1.0f + expf(-v)); });
}

/** By element of the result, [rows, D, N]. */
KERNEL(discretize, 256, const float* __restrict__ rawStep, const float* __restrict__ stepBias,
       const float* __restrict__ logA, const float* __restrict__ inputGate, const float* __restrict__ x,
       float* __restrict__ decay, float* __restrict__ input, int size, int channels, int states) {
  FOR_EACH(i, size) {
    const unsigned at = i / states, n = i - at * states;
    const unsigned row = at / channels, d = at - row * channels;
    const float step = softplus(rawStep[at] + stepBias[d]);
    decay[i] = expf(-expf(logA[d * states + n]) * step);
    input[i] = step * inputGate[row * states + n] * x[at];
  }
}

/** By element of the projection, [rows, R + 2 N]. */
KERNEL(selective_split, 256, const float* __restrict__ selected, float* __restrict__ step,
       float* __restrict__ inputGate, float* __restrict__ outputGate, int size, int rank, int states) {
  const unsigned width = rank + 2 * states;
  FOR_EACH(i, size) {
    const unsigned row = i / width, c = i - row * width;
    if (c < rank) step[row * rank + c] = selected[i];
    else if (c < rank + states) inputGate[row * states + c - rank] = selected[i];
    else outputGate[row * states + c - rank - states] = selected[i];
  }
}

KERNEL(selective_step, 256, const float* __restrict__ rawStep, const float* __restrict__ stepBias,
       const float* __restrict__ x, float* __restrict__ step, float* __restrict__ drive, int size, int channels) {
  FOR_EACH(i, size) {
    const float s = softplus(rawStep[i] + stepBias[i % channels]);
    step[i] = s;
    drive[i] = s * x[i];
  }
}

/** By element of y, [B, L, D], then by element of nextPast, [B, K - 1, D]. */
KERNEL(causal_convolution, 256, const float* __restrict__ x, const float* __restrict__ filter,
       const float* __restrict__ bias, const float* __restrict__ past, float* __restrict__ y,
       float* __restrict__ nextPast, int batch, int length, int channels, int taps) {
  const unsigned size = batch * length * channels;
  const unsigned before = taps - 1;
  /** The input of token t, which may lie before x. */
  const auto inputAt = [&](unsigned b, int t, unsigned d) {
    if (t >= 0) return x[(b * length + t) * channels + d];
    return past ? past[(b * before + t + before) * channels + d] : 0.0f;
  };
  FOR_EACH(i, size + batch * before * channels) {
    const bool isOutput = i < size;
    const unsigned at = isOutput ? i : i - size;
    const unsigned token = at / channels, d = at - token * channels;
    const unsigned rows = isOutput ? length : before;
    const unsigned b = token / rows;
    const int t = token - b * rows;
    if (isOutput) {
      float sum = bias[d];
      for (int k = 0; k < taps; k++) sum += filter[k * channels + d] * inputAt(b, t - taps + 1 + k, d);
      y[at] = sum / (1.0f + expf(-sum));
    } else {
      nextPast[at] = inputAt(b, length - taps + 1 + t, d);
    }
  }
}
