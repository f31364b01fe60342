/** Optimiser steps on every parameter, one launch each: the formulas are in plugin/ops/optimizer_steps.ts. */
#include "kernel.h"
#include "indexing.h"

KERNEL(adamw_step, THREADS, const float* __restrict__ value, const float* __restrict__ gradient,
       const float* __restrict__ m, const float* __restrict__ v, float* __restrict__ updated, float* __restrict__ mean,
       float* __restrict__ variance, int size, float beta1, float rest1, float beta2, float rest2, float epsilon,
       float keep, float rate, float correction) {
  FOR_EACH(i, size) {
    const float g = gradient[i];
    const float first = beta1 * m[i] + rest1 * g;
    const float second = beta2 * v[i] + rest2 * (g * g);
    mean[i] = first;
    variance[i] = second;
    updated[i] = keep * value[i] - rate * (first / (correction * sqrtf(second) + epsilon));
  }
}

KERNEL(momentum_step, THREADS, const float* __restrict__ value, const float* __restrict__ gradient,
       const float* __restrict__ velocity, float* __restrict__ updated, float* __restrict__ next, int size,
       float momentum, float decay, float rate, int nesterov) {
  FOR_EACH(i, size) {
    const float g = gradient[i] + decay * value[i];
    const float speed = velocity ? momentum * velocity[i] + g : g;
    next[i] = speed;
    updated[i] = value[i] - rate * (nesterov ? g + momentum * speed : speed);
  }
}

KERNEL(scale_by, THREADS, const float* __restrict__ x, const float* __restrict__ factor, float* __restrict__ y,
       int size) {
  const float by = *factor;
  FOR_EACH(i, size) { y[i] = by * x[i]; }
}

/** A sum of squares, or of plain values, per block. The order is that of the grid, the same in every run. */
KERNEL(square_sum, THREADS, const float* __restrict__ x, float* __restrict__ sums, int size, int squares) {
  __shared__ float ofWarp[THREADS / WARP];
  float sum = 0.0f;
  FOR_EACH(i, size) { sum += squares ? x[i] * x[i] : x[i]; }
  for (int half = WARP / 2; half > 0; half /= 2) sum += __shfl_down_sync(0xffffffff, sum, half);
  if (threadIdx.x % WARP == 0) ofWarp[threadIdx.x / WARP] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < THREADS / WARP; warp++) sum += ofWarp[warp];
  sums[blockIdx.x] = sum;
}
