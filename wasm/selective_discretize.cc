// From activations to the decay and the input of a tree scan: the projections to step, B and C, and the discretisation.
// Works on a few rows at a time, so that intermediate results stay in the first-level caches.
#include "discretize.h"
#include "panels.h"

INLINE int width_of(int states, int rank) { return rank + 2 * states; }

// Bytes of scratch memory that selective_discretize needs.
EXPORT int selective_discretize_scratch(int channels, int states, int rank) {
  return int(sizeof(float)) * (channels * (states + 1) + DISCRETIZED_ROWS * (width_of(states, rank) + rank + channels));
}

EXPORT void selective_discretize(const float* x,           // [rows, D]
                                 const float* selection,   // of pack_panels: [D, R + 2N]
                                 const float* projection,  // of pack_panels: [R, D]
                                 const float* step_bias,   // [D]
                                 const float* log_a,       // [D, N]
                                 float* decay,             // [rows, D*N], the first result
                                 float* input,             // [rows, D*N], the second result
                                 float* output_gate,       // [rows, N], the third result
                                 float* scratch,           // of selective_discretize_scratch
                                 int rows,
                                 int channels,  // D
                                 int states,    // N
                                 int rank       // R
) {
  const int width = width_of(states, rank);
  const size_t scanned = size_t(channels) * states;
  float* const rate = scratch;
  float* const step = rate + scanned;
  float* const selected = step + channels;
  float* const low_rank = selected + DISCRETIZED_ROWS * width;
  float* const dt = low_rank + DISCRETIZED_ROWS * rank;
  const auto nothing = [](float*, int, int) {};
  rates_of(log_a, rate, channels * states);
  for (int first = 0; first < rows; first += DISCRETIZED_ROWS) {
    const int count = rows - first < DISCRETIZED_ROWS ? rows - first : DISCRETIZED_ROWS;
    multiply_block(x, selection, nullptr, selected, count, channels, width, 0, panels_of(width), nothing);
    for (int r = 0; r < count; r++) copy_row(low_rank + r * rank, selected + r * width, rank);
    multiply_block(low_rank, projection, nullptr, dt, count, rank, channels, 0, panels_of(channels), nothing);
    for (int r = 0; r < count; r++) {
      const float* const gates = selected + r * width + rank;
      discretize_row(dt + r * channels, step_bias, rate, gates, x, decay, input, step, channels, states);
      copy_row(output_gate, gates + states, states);
      x += channels;
      decay += scanned;
      input += scanned;
      output_gate += states;
    }
  }
}
