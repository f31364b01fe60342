/** A depthwise convolution over time. */
#include "kernel.h"
#include "indexing.h"

/** One thread per element of y, [B, L, D], then per element of nextPast, [B, K - 1, D]. */
KERNEL(causal_convolution, THREADS, const float* __restrict__ x, const float* __restrict__ filter,
       const float* __restrict__ bias, const float* __restrict__ past, float* __restrict__ y,
       float* __restrict__ nextPast, int batch, int length, int channels, int kernelSize) {
  const unsigned size = batch * length * channels;
  const unsigned before = kernelSize - 1;
  /** The input of token t, which may precede x. */
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
      for (int k = 0; k < kernelSize; k++) sum += filter[k * channels + d] * inputAt(b, t - kernelSize + 1 + k, d);
      y[at] = sum / (1.0f + expf(-sum));
    } else {
      nextPast[at] = inputAt(b, length - kernelSize + 1 + t, d);
    }
  }
}
