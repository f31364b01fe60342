/**
 * Resizes images [batch, height, width, channels], and computes the gradients. Positions are computed in float64 with
 * the roundings of JavaScript, so that every pixel is read from where tfjs's CPU kernels read it.
 */
#include "kernel.h"
#include "indexing.h"

/** An axis: place(i) = ratio * (i + shift) - shift is the position in `from` of pixel i of `to`. */
struct ImageAxis {
  int from;
  int to;
  int numerator;  // of the ratio: from, or from - 1 if corners are aligned
  int denominator;
};

__device__ inline double ratioOf(const ImageAxis& axis) { return (double)axis.numerator / (double)axis.denominator; }

/** The two pixels that pixel i lies between, and its distance from the first. */
struct Between {
  int low;
  int high;
  double fraction;
};
__device__ inline Between betweenOf(const ImageAxis& axis, int i, double shift) {
  const double place = __dadd_rn(__dmul_rn(ratioOf(axis), i + shift), -shift);
  const int low = max(0, (int)floor(place));
  return {low, min(axis.from - 1, (int)ceil(place)), place - low};
}

/** The pixel nearest to pixel i. */
__device__ inline int nearestOf(const ImageAxis& axis, int i, double shift, int roundToNearest) {
  const double place = __dmul_rn(ratioOf(axis), i + shift);
  return max(0, min(axis.from - 1, (int)floor(roundToNearest ? __dadd_rn(place, 0.5) : place)));
}

/** The pixel and channel of element i in [batch, height, width, channels]. */
struct Pixel {
  int batch;
  int row;
  int column;
  int channel;
};
__device__ inline Pixel pixelOf(unsigned i, int height, int width, int channels) {
  const unsigned pixel = i / channels;
  const unsigned line = pixel / width;
  const unsigned batch = line / height;
  return {(int)batch, (int)(line - batch * height), (int)(pixel - line * width), (int)(i - pixel * channels)};
}

#define RESIZE_BILINEAR(name, Element)                                                                                \
  KERNEL(name, THREADS, const Element* __restrict__ x, float* __restrict__ y, int size, int channels, ImageAxis rows, \
         ImageAxis columns, float shift) {                                                                            \
    FOR_EACH(i, size) {                                                                                               \
      const Pixel p = pixelOf(i, rows.to, columns.to, channels);                                                      \
      const Between row = betweenOf(rows, p.row, shift);                                                              \
      const Between column = betweenOf(columns, p.column, shift);                                                     \
      const Element* const top = x + (size_t)(p.batch * rows.from + row.low) * columns.from * channels + p.channel;   \
      const Element* const bottom =                                                                                   \
          x + (size_t)(p.batch * rows.from + row.high) * columns.from * channels + p.channel;                         \
      const float right = (float)column.fraction;                                                                     \
      const float down = (float)row.fraction;                                                                         \
      const float above = between(top[column.low * channels], top[column.high * channels], right);                    \
      const float below = between(bottom[column.low * channels], bottom[column.high * channels], right);              \
      y[i] = between(above, below, down);                                                                             \
    }                                                                                                                 \
  }

__device__ inline float between(float a, float b, float fraction) { return a + (b - a) * fraction; }

RESIZE_BILINEAR(resize_bilinear_f32, float)
RESIZE_BILINEAR(resize_bilinear_i32, int)

KERNEL(resize_nearest_4, THREADS, const unsigned* __restrict__ x, unsigned* __restrict__ y, int size, int channels,
       ImageAxis rows, ImageAxis columns, float shift, int roundToNearest) {
  FOR_EACH(i, size) {
    const Pixel p = pixelOf(i, rows.to, columns.to, channels);
    const int row = nearestOf(rows, p.row, shift, roundToNearest);
    const int column = nearestOf(columns, p.column, shift, roundToNearest);
    y[i] = x[((size_t)(p.batch * rows.from + row) * columns.from + column) * channels + p.channel];
  }
}

/** A range of pixels of `to` that contains all that use pixel `at` of `from`, and a few more. */
struct Range {
  int first;
  int last;
};
__device__ inline Range reachOf(const ImageAxis& axis, int at) {
  if (axis.numerator == 0) return {0, axis.to - 1};  // all are at pixel 0
  const double inverse = (double)axis.denominator / (double)axis.numerator;
  return {max(0, (int)floor((at - 1) * inverse) - 1), min(axis.to - 1, (int)ceil((at + 1) * inverse) + 1)};
}

/** The weight of pixel `at` of `from` in pixel i of `to`. */
__device__ inline float bilinearShare(const ImageAxis& axis, int i, int at) {
  const Between place = betweenOf(axis, i, 0.0);
  return (float)((place.low == at ? 1.0 - place.fraction : 0.0) + (place.high == at ? place.fraction : 0.0));
}

/** dx = the sum of all dy, each times the weight of x in it: every thread sums for its own pixel, in a fixed order. */
KERNEL(resize_bilinear_grad_f32, THREADS, const float* __restrict__ dy, float* __restrict__ dx, int size, int channels,
       ImageAxis rows, ImageAxis columns) {
  FOR_EACH(i, size) {
    const Pixel p = pixelOf(i, rows.from, columns.from, channels);
    const Range down = reachOf(rows, p.row);
    const Range across = reachOf(columns, p.column);
    float sum = 0.0f;
    for (int row = down.first; row <= down.last; row++) {
      const float rowShare = bilinearShare(rows, row, p.row);
      if (rowShare == 0.0f) continue;
      const float* const line = dy + (size_t)(p.batch * rows.to + row) * columns.to * channels + p.channel;
      for (int column = across.first; column <= across.last; column++) {
        const float share = rowShare * bilinearShare(columns, column, p.column);
        if (share != 0.0f) sum += share * line[column * channels];
      }
    }
    dx[i] = sum;
  }
}

KERNEL(resize_nearest_grad_f32, THREADS, const float* __restrict__ dy, float* __restrict__ dx, int size, int channels,
       ImageAxis rows, ImageAxis columns, int roundToNearest) {
  FOR_EACH(i, size) {
    const Pixel p = pixelOf(i, rows.from, columns.from, channels);
    const Range down = reachOf(rows, p.row);
    const Range across = reachOf(columns, p.column);
    float sum = 0.0f;
    for (int row = down.first; row <= down.last; row++) {
      if (nearestOf(rows, row, 0.0, roundToNearest) != p.row) continue;
      const float* const line = dy + (size_t)(p.batch * rows.to + row) * columns.to * channels + p.channel;
      for (int column = across.first; column <= across.last; column++) {
        if (nearestOf(columns, column, 0.0, roundToNearest) == p.column) sum += line[column * channels];
      }
    }
    dx[i] = sum;
  }
}
