/** y = exp(x - max) / sum of exp(x - max), row by row. `lanes` neighbouring threads share a row, as in reduce.cu. */
#include "kernel.h"
#include "reduce.h"

KERNEL(softmax_rows, 256, const float* __restrict__ x, float* __restrict__ y, int rows, int length, int lanes) {
  __shared__ float perWarp[WARPS];
  const int row = blockIdx.x * (REDUCE_THREADS / lanes) + threadIdx.x / lanes;
  const int lane = threadIdx.x % lanes;
  const bool here = row < rows;
  x += (size_t)row * length;
  y += (size_t)row * length;
  float largest = -INFINITY;
  if (here) largest = gather<Maximum<float, float>>(x, lane, length, lanes, 1);
  largest = acrossLanes<Maximum<float, float>>(largest, lanes, perWarp);
  float sum = 0.0f;
  if (here) {
    for (int j = lane; j < length; j += lanes) {
      const float e = expf(x[j] - largest);
      y[j] = e;
      sum += e;
    }
  }
  sum = acrossLanes<Sum<float, float>>(sum, lanes, perWarp);
  if (here) {
    for (int j = lane; j < length; j += lanes) y[j] /= sum;
  }
}
