/** Samples maps between their pixels, and computes the gradients in both inputs. */
#include "kernel.h"
#include "indexing.h"
#include "rows.h"

/** Position of a coordinate along an axis: the pixel at or before it, the weights of it and of the next. */
struct Position {
  int first;
  float low, high;
  /** Derivative of the pixel position; 0 where it is clamped. */
  float slope;
};

/** Rounded in each step, so that the same pixels are read on every backend. All values are 0 if no pixel counts. */
__device__ inline Position positionOf(float coordinate, int size, bool border, bool aligned) {
  const float along = __fadd_rn(coordinate == coordinate ? coordinate : -1.0f, 1.0f);
  float at =
      aligned ? __fmul_rn(along / 2.0f, (float)(size - 1)) : __fadd_rn(__fmul_rn(along, (float)size), -1.0f) / 2.0f;
  float slope = (aligned ? size - 1 : size) / 2.0f;
  if (border) {
    if (!(at > 0.0f && at < size - 1)) slope = 0.0f;
    at = fminf(fmaxf(at, 0.0f), size - 1);
  } else if (!(at >= -1.0f && at < size)) {
    return {-2, 0.0f, 0.0f, 0.0f};
  }
  const float first = floorf(at);
  return {(int)first, 1.0f - (at - first), at - first, slope};
}

/**
 * Calls `visit` with each of the four pixels that exist: its index in its map, and the weights of its row and column.
 */
template <typename Visit>
__device__ inline void forCorners(const Position& row, const Position& column, int height, int width, Visit visit) {
  for (int down = 0; down < 2; down++) {
    const int r = row.first + down;
    if (r < 0 || r >= height) continue;
    for (int right = 0; right < 2; right++) {
      const int c = column.first + right;
      if (c >= 0 && c < width) visit((size_t)r * width + c, down, right);
    }
  }
}

/** One thread per element of y, [N, positions, C]. */
KERNEL(grid_sample, THREADS, const float* __restrict__ x, const float* __restrict__ grid, float* __restrict__ y,
       int size, int height, int width, int channels, int positions, int border, int aligned) {
  FOR_EACH(i, size) {
    const unsigned position = i / channels, c = i - position * channels;
    const Position column = positionOf(grid[2 * position], width, border, aligned);
    const Position row = positionOf(grid[2 * position + 1], height, border, aligned);
    const float* map = x + (size_t)(position / positions) * height * width * channels + c;
    float sum = 0.0f;
    forCorners(row, column, height, width, [&](size_t pixel, int down, int right) {
      sum += (down ? row.high : row.low) * (right ? column.high : column.low) * map[pixel * channels];
    });
    y[i] = sum;
  }
}

/** One warp per position. */
KERNEL(grid_sample_gradient_grid, THREADS, const float* __restrict__ x, const float* __restrict__ grid,
       const float* __restrict__ dy, float* __restrict__ dgrid, int count, int height, int width, int channels,
       int positions, int border, int aligned) {
  FOR_EACH_ROW(position, count) {
    const Position column = positionOf(grid[2 * position], width, border, aligned);
    const Position row = positionOf(grid[2 * position + 1], height, border, aligned);
    const float* map = x + position / positions * height * width * channels;
    const float* gradients = dy + position * channels;
    float alongColumns = 0.0f, alongRows = 0.0f;
    forCorners(row, column, height, width, [&](size_t pixel, int down, int right) {
      float product = 0.0f;
      forChannels(channels, [&](int c) { product += map[pixel * channels + c] * gradients[c]; });
      product = sumOfWarp(product);
      const float ofRow = down ? row.high : row.low, ofColumn = right ? column.high : column.low;
      alongColumns += (right ? ofRow : -ofRow) * product;
      alongRows += (down ? ofColumn : -ofColumn) * product;
    });
    if (threadIdx.x % WARP == 0) {
      dgrid[2 * position] = alongColumns * column.slope;
      dgrid[2 * position + 1] = alongRows * row.slope;
    }
  }
}

/**
 * One warp per line of pixels and WARP channels, one thread per channel: it scans all positions of the image, WARP at a
 * time, and adds the contributions of those next to its line. So every sum has a fixed order, unlike with atomics. dx
 * must be zero before.
 */
KERNEL(grid_sample_gradient_x, THREADS, const float* __restrict__ grid, const float* __restrict__ dy,
       float* __restrict__ dx, int lines, int height, int width, int channels, int positions, int border, int aligned) {
  const int thread = threadIdx.x % WARP;
  const int shares = (channels + WARP - 1) / WARP;
  FOR_EACH_ROW(item, (size_t)lines * shares) {
    const size_t line = item / shares;
    const int c = item % shares * WARP + thread;
    const size_t first = line / height * positions;
    float* pixels = dx + line * width * channels + c;
    for (int tile = 0; tile < positions; tile += WARP) {
      int down = -1;
      float ofLine = 0.0f;
      if (tile + thread < positions) {
        const Position row = positionOf(grid[2 * (first + tile + thread) + 1], height, border, aligned);
        down = (int)(line % height) - row.first;
        ofLine = down ? row.high : row.low;
      }
      unsigned beside = __ballot_sync(0xffffffff, down == 0 || down == 1);
      for (; beside; beside &= beside - 1) {
        const int from = __ffs(beside) - 1;
        const size_t position = first + tile + from;
        const float ofRow = __shfl_sync(0xffffffff, ofLine, from);
        const Position column = positionOf(grid[2 * position], width, border, aligned);
        if (c >= channels) continue;
        const float gradient = dy[position * channels + c];
        for (int right = 0; right < 2; right++) {
          const int at = column.first + right;
          if (at < 0 || at >= width) continue;
          pixels[(size_t)at * channels] += ofRow * (right ? column.high : column.low) * gradient;
        }
      }
    }
  }
}
