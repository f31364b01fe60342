/**
 * Convolutions and their gradients as matrix products (see tile.h) whose factors are read from the image: no matrix of
 * patches is ever stored. Channels last or first, by the strides in `Window`; filters are [height, width, in, out].
 *
 * Blocks: x tiles, y parts of the terms of the sums, which sum_shares adds.
 */
#include "kernel.h"
#include "epilogue.h"
#include "tile.h"
#include "window.h"

/** Rows are positions of the output, terms are elements of the filter: the pixels in the window. */
struct PatchesByPosition {
  static constexpr bool ALONG_K = true;
  const Window& window;
  const float* images[FETCHED];
  int top[FETCHED], left[FETCHED];
  int end;

  __device__ PatchesByPosition(const float* x, const Window& window, int firstRow, int end) : window(window), end(end) {
    const int rows = window.images * window.outHeight * window.outWidth;
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int row = firstRow + lineOf<true>(i);
      const Position at = outPosition(row, window);
      images[i] = row < rows ? x + (size_t)at.image * window.in.image : nullptr;
      top[i] = at.y * window.strideY - window.padTop;
      left[i] = at.x * window.strideX - window.padLeft;
    }
  }

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
    const int k = k0 + termOf<true>(0);
    const FilterElement element = filterElementOf(k, window.width, window.inChannels);
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int y = top[i] + element.y * window.dilationY;
      const int x = left[i] + element.x * window.dilationX;
      const bool inside = images[i] && k < end && y >= 0 && y < window.inHeight && x >= 0 && x < window.inWidth;
      values[i] = inside ? images[i][placeOf(window.in, 0, y, x, element.channel)] : 0.0f;
    }
  }
};

/** Rows are elements of the filter, terms are positions of the output. */
struct PatchesByTap {
  static constexpr bool ALONG_K = false;
  const Window& window;
  const float* x;
  FilterElement element;
  bool isTap;
  int end;

  __device__ PatchesByTap(const float* x, const Window& window, int firstRow, int end)
      : window(window), x(x), end(end) {
    const int row = firstRow + lineOf<false>(0);
    element = filterElementOf(row, window.width, window.inChannels);
    isTap = row < window.height * window.width * window.inChannels;
  }

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int k = k0 + termOf<false>(i);
      const Position at = outPosition(k, window);
      const int row = at.y * window.strideY - window.padTop + element.y * window.dilationY;
      const int column = at.x * window.strideX - window.padLeft + element.x * window.dilationX;
      const bool inside =
          isTap && k < end && row >= 0 && row < window.inHeight && column >= 0 && column < window.inWidth;
      values[i] = inside ? x[placeOf(window.in, at.image, row, column, element.channel)] : 0.0f;
    }
  }
};

/** Rows are positions of the input, terms elements of the filter: the outputs whose window contains the pixel there. */
struct OutputsByPosition {
  static constexpr bool ALONG_K = true;
  const Window& window;
  const float* images[FETCHED];
  int y[FETCHED], x[FETCHED];
  int end;

  __device__ OutputsByPosition(const float* dy, const Window& window, int firstRow, int end)
      : window(window), end(end) {
    const int rows = window.images * window.inHeight * window.inWidth;
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int row = firstRow + lineOf<true>(i);
      const Position at = inPosition(row, window);
      images[i] = row < rows ? dy + (size_t)at.image * window.out.image : nullptr;
      y[i] = at.y + window.padTop;
      x[i] = at.x + window.padLeft;
    }
  }

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
    const int k = k0 + termOf<true>(0);
    const FilterElement element = filterElementOf(k, window.width, window.outChannels);
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int row = windowOver(y[i], element.y, window.dilationY, window.strideY, window.outHeight);
      const int column = windowOver(x[i], element.x, window.dilationX, window.strideX, window.outWidth);
      const bool inside = images[i] && k < end && row >= 0 && column >= 0;
      values[i] = inside ? images[i][placeOf(window.out, 0, row, column, element.channel)] : 0.0f;
    }
  }
};

/** Columns are channels of the input, terms are positions in the window and channels of the output. */
struct FilterByInput {
  static constexpr bool ALONG_K = true;
  const Window& window;
  const float* filter;
  int firstColumn;
  int end;

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
    const int k = k0 + termOf<true>(0);
    const int place = k / window.outChannels;
    const int outChannel = k - place * window.outChannels;
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int channel = firstColumn + lineOf<true>(i);
      const bool inside = k < end && channel < window.inChannels;
      values[i] =
          inside ? filter[((size_t)place * window.inChannels + channel) * window.outChannels + outChannel] : 0.0f;
    }
  }
};

/** Columns are channels of the output, terms its positions: for channels first. */
struct OutputsByChannel {
  static constexpr bool ALONG_K = true;
  const Window& window;
  const float* dy;
  int firstColumn;
  int end;

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
    const int k = k0 + termOf<true>(0);
    const Position at = outPosition(k, window);
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int channel = firstColumn + lineOf<true>(i);
      const bool inside = k < end && channel < window.outChannels;
      values[i] = inside ? dy[placeOf(window.out, at.image, at.y, at.x, channel)] : 0.0f;
    }
  }
};

/** y = x * filter. With shares, y is [shares, positions, out]. */
KERNEL(convolution, TILE_THREADS, const float* x, const float* filter, float* y, Window window, int shares,
       int termsOfShare, EPILOGUE_PARAMETERS) {
  __shared__ Tiles tiles;
  const Epilogue epilogue = EPILOGUE;
  const int positions = window.images * window.outHeight * window.outWidth;
  const Corner corner = cornerOf(positions);
  const int begin = blockIdx.y * termsOfShare;
  const int end = min(window.height * window.width * window.inChannels, begin + termsOfShare);
  const PatchesByPosition patches(x, window, corner.row, end);
  const LinesAcrossK columns(filter, window.outChannels, corner.column, window.outChannels, end);
  const Sums sums = multiplyTile(tiles, patches, columns, begin, end);
  forEachSum(sums, corner, positions, window.outChannels, [&](int row, int column, float sum) {
    if (shares > 1) {
      y[((size_t)blockIdx.y * positions + row) * window.outChannels + column] = sum;
    } else {
      const Position at = outPosition(row, window);
      y[placeOf(window.out, at.image, at.y, at.x, column)] = epilogue(sum, column);
    }
  });
}

/** The gradient in x. With shares, dx is [shares, positions, in]. */
KERNEL(convolution_input_gradient, TILE_THREADS, const float* dy, const float* filter, float* dx, Window window,
       int shares, int termsOfShare) {
  __shared__ Tiles tiles;
  const int positions = window.images * window.inHeight * window.inWidth;
  const Corner corner = cornerOf(positions);
  const int begin = blockIdx.y * termsOfShare;
  const int end = min(window.height * window.width * window.outChannels, begin + termsOfShare);
  const OutputsByPosition outputs(dy, window, corner.row, end);
  const FilterByInput columns{window, filter, corner.column, end};
  const Sums sums = multiplyTile(tiles, outputs, columns, begin, end);
  forEachSum(sums, corner, positions, window.inChannels, [&](int row, int column, float sum) {
    if (shares > 1) {
      dx[((size_t)blockIdx.y * positions + row) * window.inChannels + column] = sum;
    } else {
      const Position at = inPosition(row, window);
      dx[placeOf(window.in, at.image, at.y, at.x, column)] = sum;
    }
  });
}

__device__ inline int filterElementsOf(const Window& window) {
  return window.height * window.width * window.inChannels;
}

template <typename Outputs>
__device__ inline void filterGradient(Tiles& tiles, const float* x, const Outputs& outputs, float* dFilter,
                                      const Window& window, const Corner& corner, int begin, int end) {
  const int elements = filterElementsOf(window);
  const PatchesByTap patches(x, window, corner.row, end);
  const Sums sums = multiplyTile(tiles, patches, outputs, begin, end);
  forEachSum(sums, corner, elements, window.outChannels, [&](int row, int column, float sum) {
    dFilter[((size_t)blockIdx.y * elements + row) * window.outChannels + column] = sum;
  });
}

/** The gradient in the filter: [shares, height, width, in, out]. */
KERNEL(convolution_filter_gradient, TILE_THREADS, const float* x, const float* dy, float* dFilter, Window window,
       int termsOfShare) {
  __shared__ Tiles tiles;
  const Corner corner = cornerOf(filterElementsOf(window));
  const int begin = blockIdx.y * termsOfShare;
  const int end = min(window.images * window.outHeight * window.outWidth, begin + termsOfShare);
  const LinesAcrossK outputs(dy, window.outChannels, corner.column, window.outChannels, end);
  filterGradient(tiles, x, outputs, dFilter, window, corner, begin, end);
}
/** The same for channels first. */
KERNEL(convolution_filter_gradient_channels_first, TILE_THREADS, const float* x, const float* dy, float* dFilter,
       Window window, int termsOfShare) {
  __shared__ Tiles tiles;
  const Corner corner = cornerOf(filterElementsOf(window));
  const int begin = blockIdx.y * termsOfShare;
  const int end = min(window.images * window.outHeight * window.outWidth, begin + termsOfShare);
  const OutputsByChannel outputs{window, dy, corner.column, end};
  filterGradient(tiles, x, outputs, dFilter, window, corner, begin, end);
}
