/** y = exp(x - max) / sum of exp(x - max), row by row. `sharing` neighbouring threads share a row, as in reduce.cu. */
#include "kernel.h"
#include "reduce.h"

KERNEL(softmax_rows, THREADS, const float* __restrict__ x, float* __restrict__ y, int rows, int length, int sharing) {
  __shared__ float perWarp[WARPS];
  const int row = blockIdx.x * (THREADS / sharing) + threadIdx.x / sharing;
  const int thread = threadIdx.x % sharing;
  const bool here = row < rows;
  x += (size_t)row * length;
  y += (size_t)row * length;
  float largest = -INFINITY;
  if (here) largest = gather<Maximum<float, float>>(x, thread, length, sharing, 1);
  largest = acrossThreads<Maximum<float, float>>(largest, sharing, perWarp);
  float sum = 0.0f;
  if (here) {
    for (int j = thread; j < length; j += sharing) {
      const float e = expf(x[j] - largest);
      y[j] = e;
      sum += e;
    }
  }
  sum = acrossThreads<Sum<float, float>>(sum, sharing, perWarp);
  if (here) {
    for (int j = thread; j < length; j += sharing) y[j] /= sum;
  }
}
