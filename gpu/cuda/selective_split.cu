/** Copies of parts of rows. */
#include "kernel.h"
#include "indexing.h"

/** One thread per element of the projection, [rows, R + 2 N]. */
KERNEL(selective_split, THREADS, const float* __restrict__ selected, float* __restrict__ step,
       float* __restrict__ inputGate, float* __restrict__ outputGate, int size, int rank, int states) {
  const unsigned width = rank + 2 * states;
  FOR_EACH(i, size) {
    const unsigned row = i / width, c = i - row * width;
    if (c < rank) step[row * rank + c] = selected[i];
    else if (c < rank + states) inputGate[row * states + c - rank] = selected[i];
    else outputGate[row * states + c - rank - states] = selected[i];
  }
}
