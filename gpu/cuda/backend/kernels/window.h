/** The sliding window of a convolution or a pooling op over an image. */
#pragma once

/** Elements between consecutive images, rows, columns or channels. */
struct ImageStrides {
  int image, row, column, channel;
};

/** As kernels/window.ts packs it. */
struct Window {
  int images, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels;
  int height, width, strideY, strideX, dilationY, dilationX, padTop, padLeft;
  ImageStrides in, out;
};

/** A position of the output or of the input. */
struct Position {
  int image, y, x;
};
__device__ inline Position positionOf(unsigned i, int height, int width) {
  const unsigned row = i / width;
  const unsigned image = row / height;
  return {(int)image, (int)(row - image * height), (int)(i - row * width)};
}
__device__ inline Position outPosition(unsigned i, const Window& window) {
  return positionOf(i, window.outHeight, window.outWidth);
}
__device__ inline Position inPosition(unsigned i, const Window& window) {
  return positionOf(i, window.inHeight, window.inWidth);
}

/** A position in the window, and a channel. */
struct FilterElement {
  int y, x, channel;
};
__device__ inline FilterElement filterElementOf(unsigned i, int width, int channels) {
  const Position at = positionOf(i, width, channels);
  return {at.image, at.y, at.x};
}

__device__ inline size_t placeOf(const ImageStrides& strides, int image, int y, int x, int channel) {
  return (size_t)image * strides.image + (size_t)y * strides.row + (size_t)x * strides.column +
         (size_t)channel * strides.channel;
}

/**
 * The output row whose window contains the input row `at - padding` at its row `offset * dilation`, or -1: `at` counts
 * from the first row of the padded image.
 */
__device__ inline int windowOver(int at, int offset, int dilation, int stride, int outExtent) {
  const int start = at - offset * dilation;
  const int out = start / stride;
  return start >= 0 && out * stride == start && out < outExtent ? out : -1;
}
