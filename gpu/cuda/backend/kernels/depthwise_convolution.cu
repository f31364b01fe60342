/**
 * Depthwise convolutions, channels last: sums have few terms, so each thread computes one sum or four, and neighbouring
 * threads take neighbouring channels. Filters are [height, width, channels, multiplier].
 */
#include "kernel.h"
#include "epilogue.h"
#include "indexing.h"
#include "window.h"

/** Neighbouring channels. */
template <int WIDTH>
struct alignas(4 * WIDTH) Channels {
  float at[WIDTH];
};
template <int WIDTH>
__device__ inline Channels<WIDTH> channelsFrom(const float* first) {
  return *reinterpret_cast<const Channels<WIDTH>*>(first);
}

/** y[p, c * multiplier + q] = sum over the window of x[.., c] filter[.., c, q]; a thread makes WIDTH of them. */
template <int WIDTH>
__device__ inline void convolve(const float* __restrict__ x, const float* __restrict__ filter, float* __restrict__ y,
                                int size, const Window& window, int multiplier, const Epilogue& epilogue) {
  const int groups = window.outChannels / WIDTH;
  FOR_EACH(i, size / WIDTH) {
    const unsigned position = i / groups;
    const int channel = (int)(i - position * groups) * WIDTH;
    const Position at = outPosition(position, window);
    const float* image = x + (size_t)at.image * window.in.image + channel / multiplier;
    Channels<WIDTH> sums = {};
    for (int elementY = 0; elementY < window.height; elementY++) {
      const int row = at.y * window.strideY - window.padTop + elementY * window.dilationY;
      if (row < 0 || row >= window.inHeight) continue;
      for (int elementX = 0; elementX < window.width; elementX++) {
        const int column = at.x * window.strideX - window.padLeft + elementX * window.dilationX;
        if (column < 0 || column >= window.inWidth) continue;
        const auto pixel = channelsFrom<WIDTH>(image + (size_t)row * window.in.row + (size_t)column * window.in.column);
        const auto factors =
            channelsFrom<WIDTH>(filter + (size_t)(elementY * window.width + elementX) * window.outChannels + channel);
#pragma unroll
        for (int k = 0; k < WIDTH; k++) sums.at[k] += pixel.at[k] * factors.at[k];
      }
    }
#pragma unroll
    for (int k = 0; k < WIDTH; k++) sums.at[k] = epilogue(sums.at[k], channel + k);
    reinterpret_cast<Channels<WIDTH>*>(y)[i] = sums;
  }
}

KERNEL(depthwise_convolution, THREADS, const float* __restrict__ x, const float* __restrict__ filter,
       float* __restrict__ y, int size, Window window, int multiplier, EPILOGUE_PARAMETERS) {
  convolve<1>(x, filter, y, size, window, multiplier, EPILOGUE);
}
/**
 * The same if the number of channels is a multiple of four and each has one output, with fewer instructions per byte.
 */
KERNEL(depthwise_convolution_fours, THREADS, const float* __restrict__ x, const float* __restrict__ filter,
       float* __restrict__ y, int size, Window window, EPILOGUE_PARAMETERS) {
  convolve<4>(x, filter, y, size, window, 1, EPILOGUE);
}

/** The gradient in x. */
KERNEL(depthwise_input_gradient, THREADS, const float* __restrict__ dy, const float* __restrict__ filter,
       float* __restrict__ dx, int size, Window window, int multiplier) {
  FOR_EACH(i, size) {
    const unsigned position = i / window.inChannels;
    const int channel = i - position * window.inChannels;
    const Position at = inPosition(position, window);
    float sum = 0.0f;
    for (int elementY = 0; elementY < window.height; elementY++) {
      const int row = windowOver(at.y + window.padTop, elementY, window.dilationY, window.strideY, window.outHeight);
      if (row < 0) continue;
      for (int elementX = 0; elementX < window.width; elementX++) {
        const int column =
            windowOver(at.x + window.padLeft, elementX, window.dilationX, window.strideX, window.outWidth);
        if (column < 0) continue;
        const float* outputs = dy + placeOf(window.out, at.image, row, column, channel * multiplier);
        const float* factors =
            filter + ((size_t)(elementY * window.width + elementX) * window.inChannels + channel) * multiplier;
        for (int q = 0; q < multiplier; q++) sum += outputs[q] * factors[q];
      }
    }
    dx[i] = sum;
  }
}

/**
 * The gradient in the filter: [shares, height, width, channels, multiplier], for sum_shares to add. Blocks: x 32
 * channels of the output, y positions in the window, z parts of the output's positions, which 8 warps iterate over.
 */
KERNEL(depthwise_filter_gradient, DEPTHWISE_CHANNELS* DEPTHWISE_SLICES, const float* __restrict__ x,
       const float* __restrict__ dy, float* __restrict__ dFilter, Window window, int multiplier, int positionsOfShare) {
  __shared__ float partial[DEPTHWISE_SLICES][DEPTHWISE_CHANNELS];
  const int thread = threadIdx.x % DEPTHWISE_CHANNELS;
  const int slice = threadIdx.x / DEPTHWISE_CHANNELS;
  const int channel = blockIdx.x * DEPTHWISE_CHANNELS + thread;
  const int elements = window.height * window.width;
  const int begin = blockIdx.z * positionsOfShare;
  const int end = min(window.images * window.outHeight * window.outWidth, begin + positionsOfShare);
  for (int element = blockIdx.y; element < elements; element += gridDim.y) {
    const int elementY = element / window.width;
    const int elementX = element - elementY * window.width;
    float sum = 0.0f;
    if (channel < window.outChannels) {
      for (int position = begin + slice; position < end; position += DEPTHWISE_SLICES) {
        const Position at = outPosition(position, window);
        const int row = at.y * window.strideY - window.padTop + elementY * window.dilationY;
        const int column = at.x * window.strideX - window.padLeft + elementX * window.dilationX;
        if (row < 0 || row >= window.inHeight || column < 0 || column >= window.inWidth) continue;
        sum += x[placeOf(window.in, at.image, row, column, channel / multiplier)] *
               dy[(size_t)position * window.outChannels + channel];
      }
    }
    partial[slice][thread] = sum;
    __syncthreads();
    if (slice == 0 && channel < window.outChannels) {
      for (int other = 1; other < DEPTHWISE_SLICES; other++) sum += partial[other][thread];
      dFilter[((size_t)blockIdx.z * elements + element) * window.outChannels + channel] = sum;
    }
    __syncthreads();
  }
}
