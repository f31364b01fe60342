/** Rows of channels, one warp each. */
#pragma once

/** Calls `visit` with every channel of the thread. */
template <typename Visit>
__device__ inline void forChannels(int channels, Visit visit) {
#pragma unroll 4
  for (int c = threadIdx.x % WARP; c < channels; c += WARP) visit(c);
}

/** The sum over the threads of a warp, in all of them. */
__device__ inline float sumOfWarp(float value) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffff, value, distance);
  return value;
}

struct Moments {
  float mean;
  float inverseDeviation;
};

/** Mean and deviation of a row. In two passes, the second from the L1 cache: x^2 - mean^2 would cancel. */
__device__ inline Moments momentsOf(const float* row, int channels, float epsilon) {
  float sum = 0.0f;
  forChannels(channels, [&](int c) { sum += row[c]; });
  const float mean = sumOfWarp(sum) / channels;
  float squares = 0.0f;
  forChannels(channels, [&](int c) { squares += (row[c] - mean) * (row[c] - mean); });
  return {mean, 1.0f / sqrtf(sumOfWarp(squares) / channels + epsilon)};
}

/** The row of a thread's warp; whole warps iterate over the rows. */
#define FOR_EACH_ROW(row, rows)                                                                  \
  for (size_t row = (size_t)blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP; row < (rows); \
       row += (size_t)gridDim.x * (blockDim.x / WARP))
