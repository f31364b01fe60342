/**
 * Max and average pooling over a sliding window, channels last, and their gradients. Neighbouring threads take
 * neighbouring channels.
 */
#include "kernel.h"
#include "indexing.h"
#include "window.h"

/** The part of the window at an output position that lies in the image. */
struct Span {
  int top, bottom, left, right;
};
__device__ inline Span spanOf(const Position& at, const Window& window) {
  const int top = at.y * window.strideY - window.padTop;
  const int left = at.x * window.strideX - window.padLeft;
  return {max(0, top), min(window.inHeight, top + window.height), max(0, left),
          min(window.inWidth, left + window.width)};
}

/** Calls `visit` with the pixels of the image in the window of output i: value, row, column. */
template <typename Visit>
__device__ inline void forEachPixel(const float* x, unsigned i, const Window& window, Visit visit) {
  const unsigned position = i / window.inChannels;
  const Position at = outPosition(position, window);
  const Span span = spanOf(at, window);
  const float* image = x + (size_t)at.image * window.in.image + (i - position * window.inChannels);
  for (int row = span.top; row < span.bottom; row++) {
    for (int column = span.left; column < span.right; column++) {
      visit(image[(size_t)row * window.in.row + (size_t)column * window.in.column], row, column);
    }
  }
}

/** NaN is smaller than everything, as in tfjs. */
KERNEL(max_pool, THREADS, const float* __restrict__ x, float* __restrict__ y, int size, Window window) {
  FOR_EACH(i, size) {
    float largest = -INFINITY;
    forEachPixel(x, i, window, [&](float value, int, int) { largest = value > largest ? value : largest; });
    y[i] = largest;
  }
}

/** The mean of the pixels, excluding those outside of the image. */
KERNEL(average_pool, THREADS, const float* __restrict__ x, float* __restrict__ y, int size, Window window) {
  FOR_EACH(i, size) {
    float sum = 0.0f;
    int count = 0;
    forEachPixel(x, i, window, [&](float value, int, int) {
      sum += value;
      count++;
    });
    y[i] = sum / count;
  }
}

/** Index in the image of the first of the largest pixels, row * width + column; -1 if there is none. */
KERNEL(max_pool_positions, THREADS, const float* __restrict__ x, int* __restrict__ positions, int size, Window window) {
  FOR_EACH(i, size) {
    float largest = -INFINITY;
    int found = -1;
    forEachPixel(x, i, window, [&](float value, int row, int column) {
      if (!(value > largest)) return;
      largest = value;
      found = row * window.inWidth + column;
    });
    positions[i] = found;
  }
}

/** The rows, or columns, of a window at which an input position can be; others belong to no output. */
struct WindowRange {
  int first, last;
};
__device__ inline WindowRange windowRangeOf(int at, int extent, int stride, int outExtent) {
  return {(int)max(0ll, at - (long long)(outExtent - 1) * stride), min(extent - 1, at)};
}

/**
 * dx = scale times the sum of dy over the windows that contain the pixel: all of them or, if positions are given, those
 * whose largest pixel it is.
 */
KERNEL(pool_gradient, THREADS, const float* __restrict__ dy, const int* __restrict__ positions, float* __restrict__ dx,
       int size, Window window, float scale) {
  FOR_EACH(i, size) {
    const unsigned position = i / window.inChannels;
    const int channel = i - position * window.inChannels;
    const Position at = inPosition(position, window);
    const WindowRange down = windowRangeOf(at.y + window.padTop, window.height, window.strideY, window.outHeight);
    const WindowRange across = windowRangeOf(at.x + window.padLeft, window.width, window.strideX, window.outWidth);
    float sum = 0.0f;
    for (int windowY = down.last; windowY >= down.first; windowY--) {
      const int row = windowOver(at.y + window.padTop, windowY, 1, window.strideY, window.outHeight);
      if (row < 0) continue;
      for (int windowX = across.last; windowX >= across.first; windowX--) {
        const int column = windowOver(at.x + window.padLeft, windowX, 1, window.strideX, window.outWidth);
        if (column < 0) continue;
        const size_t output = placeOf(window.out, at.image, row, column, channel);
        if (!positions || positions[output] == at.y * window.inWidth + at.x) sum += dy[output];
      }
    }
    dx[i] = sum * scale;
  }
}
