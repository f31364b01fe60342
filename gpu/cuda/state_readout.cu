/** The readout of states and its two normalisations: one warp per row. */
#include "kernel.h"
#include "rows.h"

KERNEL(state_readout, THREADS, const float* __restrict__ state, const float* __restrict__ outputGate,
       const float* __restrict__ x, const float* __restrict__ skip, const float* __restrict__ gate,
       const float* __restrict__ stateGamma, const float* __restrict__ stateBeta, const float* __restrict__ outputGamma,
       const float* __restrict__ outputBeta, float* y, int rows, int channels, float epsilon) {
  FOR_EACH_ROW(row, rows) {
    const size_t first = row * channels;
    const float out = outputGate[row];
    const Moments ofState = momentsOf(state + first, channels, epsilon);
    // Every thread reads back only what it wrote itself.
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
