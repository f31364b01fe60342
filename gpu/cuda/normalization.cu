/** LayerNormalization, RootMeanSquareNormalization and StateReadout: a warp a row. */
#include "kernel.h"
#include "rows.h"

KERNEL(layer_normalization, 256, const float* __restrict__ x, const float* __restrict__ gamma,
       const float* __restrict__ beta, float* __restrict__ y, int rows, int channels, float epsilon) {
  FOR_EACH_ROW(row, rows) {
    const float* const from = x + row * channels;
    float* const to = y + row * channels;
    const Moments moments = momentsOf(from, channels, epsilon);
    forChannels(channels, [&](int c) {
      to[c] = (from[c] - moments.mean) * moments.inverseDeviation * gamma[c] + beta[c];
    });
  }
}

KERNEL(root_mean_square_normalization, 256, const float* __restrict__ x, const float* __restrict__ gamma,
       float* __restrict__ y, int rows, int channels, float epsilon) {
  FOR_EACH_ROW(row, rows) {
    const float* const from = x + row * channels;
    float* const to = y + row * channels;
    float squares = 0.0f;
    forChannels(channels, [&](int c) { squares += from[c] * from[c]; });
    const float scale = 1.0f / sqrtf(sumOfWarp(squares) / channels + epsilon);
    forChannels(channels, [&](int c) { to[c] = from[c] * scale * gamma[c]; });
  }
}

KERNEL(state_readout, 256, const float* __restrict__ state, const float* __restrict__ outputGate,
       const float* __restrict__ x, const float* __restrict__ skip, const float* __restrict__ gate,
       const float* __restrict__ stateGamma, const float* __restrict__ stateBeta,
       const float* __restrict__ outputGamma, const float* __restrict__ outputBeta, float* y, int rows, int channels,
       float epsilon) {
  FOR_EACH_ROW(row, rows) {
    const size_t first = row * channels;
    const float out = outputGate[row];
    const Moments ofState = momentsOf(state + first, channels, epsilon);
    // Every lane reads back what it wrote itself.
    float* const to = y + first;
    forChannels(channels, [&](int c) {
      const float read = (state[first + c] - ofState.mean) * ofState.inverseDeviation * stateGamma[c] + stateBeta[c];
      to[c] = read * out + skip[c] * x[first + c];
    });
    const Moments ofOutput = momentsOf(to, channels, epsilon);
    forChannels(channels, [&](int c) {
      const float normalized = (to[c] - ofOutput.mean) * ofOutput.inverseDeviation;
      to[c] = (normalized * outputGamma[c] + outputBeta[c]) * gate[first + c];
    });
  }
}
