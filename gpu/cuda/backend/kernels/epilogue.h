/** Bias and activation, applied to the sums of matrix products and convolutions before they are written. */
#pragma once

#include "scalar_math.h"

struct Epilogue {
  /** Null, or a value for each column; if the stride is 0, the same for all columns. */
  const float* bias;
  int biasStride;
  /** Negative slopes of PRELU, laid out like the bias. */
  const float* slopes;
  int slopeStride;
  int activation;
  /** The slope of LEAKY_RELU below 0. */
  float slope;

  __device__ float operator()(float x, int column) const {
    if (bias) x += bias[column * biasStride];
    switch (activation) {
      case RELU: return maximum(x, 0.0f);
      case RELU6: return minimum(maximum(x, 0.0f), 6.0f);
      case ELU: return x >= 0.0f ? x : expm1f(x);
      case PRELU: return x < 0.0f ? x * slopes[column * slopeStride] : x;
      case LEAKY_RELU: return x < 0.0f ? x * slope : x;
      case SIGMOID: return sigmoid(x);
      case GELU: return x * (0.5f + 0.5f * erff(x * 0.70710678118654752f));
      case SILU: return x * sigmoid(x);
      default: return x;
    }
  }
};

#define EPILOGUE_PARAMETERS \
  const float *bias, int biasStride, const float *slopes, int slopeStride, int activation, float slope
#define EPILOGUE \
  Epilogue { bias, biasStride, slopes, slopeStride, activation, slope }
