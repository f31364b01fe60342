/** Pads tensors. Elements have 1, 4 or 16 bytes, as in strided_copy.cu. */
#include "kernel.h"
#include "indexing.h"

/** Loops over axes are unrolled, so that the structs are not copied to local memory. */
#define UNROLL _Pragma("unroll")

__device__ inline void fillWith(unsigned char& element, unsigned pattern) { element = (unsigned char)pattern; }
__device__ inline void fillWith(unsigned& element, unsigned pattern) { element = pattern; }
__device__ inline void fillWith(uint4& element, unsigned pattern) {
  element = make_uint4(pattern, pattern, pattern, pattern);
}

/**
 * y = x with `before` elements before it along each axis, and some after it, all with the bits of `pattern`. Axes are
 * those of y; `within` are the extents of x.
 */
#define PAD(name, Element)                                                                                           \
  KERNEL(name, THREADS, const Element* __restrict__ x, Element* __restrict__ y, int size, Axes axes, Strides before, \
         Strides within, Strides strides, int pattern) {                                                             \
    FOR_EACH(i, size) {                                                                                              \
      unsigned rest = i;                                                                                             \
      unsigned place = 0;                                                                                            \
      bool inside = true;                                                                                            \
      UNROLL for (int axis = 0; axis < MAX_AXES; axis++) {                                                           \
        if (axis == axes.count) break;                                                                               \
        const unsigned next = rest / axes.extent[axis];                                                              \
        const unsigned at = rest - next * axes.extent[axis] - before.along[axis];                                    \
        inside = inside && at < (unsigned)within.along[axis]; /* before x, at wraps around */                        \
        place += at * strides.along[axis];                                                                           \
        rest = next;                                                                                                 \
      }                                                                                                              \
      Element value;                                                                                                 \
      if (inside) value = x[place];                                                                                  \
      else fillWith(value, (unsigned)pattern);                                                                       \
      y[i] = value;                                                                                                  \
    }                                                                                                                \
  }

PAD(pad_1, unsigned char)
PAD(pad_4, unsigned)
PAD(pad_16, uint4)

/** The padding mirrors x: with its outermost elements (`edge` 1) or without them (0). */
#define MIRROR_PAD(name, Element)                                                                                    \
  KERNEL(name, THREADS, const Element* __restrict__ x, Element* __restrict__ y, int size, Axes axes, Strides before, \
         Strides within, Strides strides, int edge) {                                                                \
    FOR_EACH(i, size) {                                                                                              \
      unsigned rest = i;                                                                                             \
      unsigned place = 0;                                                                                            \
      UNROLL for (int axis = 0; axis < MAX_AXES; axis++) {                                                           \
        if (axis == axes.count) break;                                                                               \
        const unsigned next = rest / axes.extent[axis];                                                              \
        int at = (int)(rest - next * axes.extent[axis]) - before.along[axis];                                        \
        if (at < 0) at = -at - edge;                                                                                 \
        else if (at >= within.along[axis]) at = 2 * (within.along[axis] - 1) - at + edge;                            \
        place += at * strides.along[axis];                                                                           \
        rest = next;                                                                                                 \
      }                                                                                                              \
      y[i] = x[place];                                                                                               \
    }                                                                                                                \
  }

MIRROR_PAD(mirror_pad_1, unsigned char)
MIRROR_PAD(mirror_pad_4, unsigned)
