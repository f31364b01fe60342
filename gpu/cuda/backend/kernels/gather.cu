/**
 * Gathers rows of a tensor by index. Elements have 1, 4 or 16 bytes, as in strided_copy.cu. An index that is out of
 * range gives zeros: the device cannot throw.
 */
#include "kernel.h"
#include "points.h"

using Byte = unsigned char;

/** y[batch, outer, count, slice] = x[batch, outer, indices[batch, count], slice]; x has `length` rows there. */
#define GATHER(name, Element)                                                                                    \
  KERNEL(name, THREADS, const Element* __restrict__ x, const int* __restrict__ indices, Element* __restrict__ y, \
         int size, int outer, int length, int count, int slice) {                                                \
    FOR_EACH(i, size) {                                                                                          \
      const unsigned row = i / slice;                                                                            \
      const unsigned group = row / count;                                                                        \
      const int index = indices[group / outer * count + (row - group * count)];                                  \
      const bool inside = 0 <= index && index < length;                                                          \
      y[i] = inside ? x[(group * length + index) * slice + (i - row * slice)] : Element{};                       \
    }                                                                                                            \
  }

GATHER(gather_rows_1, Byte)
GATHER(gather_rows_4, unsigned)
GATHER(gather_rows_16, uint4)

/**
 * y[count, slice] = x[row, slice], where row is the sum over d < depth of indices[count, d] * strides[d]. x has `rows`
 * rows.
 */
#define GATHER_POINTS(name, Element)                                                                             \
  KERNEL(name, THREADS, const Element* __restrict__ x, const int* __restrict__ indices, Element* __restrict__ y, \
         int size, int depth, int rows, int slice, Strides strides) {                                            \
    FOR_EACH(i, size) {                                                                                          \
      const unsigned point = i / slice;                                                                          \
      const int row = rowOf(indices, point, depth, strides);                                                     \
      const bool inside = 0 <= row && row < rows;                                                                \
      y[i] = inside ? x[(unsigned)row * slice + (i - point * slice)] : Element{};                                \
    }                                                                                                            \
  }

GATHER_POINTS(gather_points_1, Byte)
GATHER_POINTS(gather_points_4, unsigned)
GATHER_POINTS(gather_points_16, uint4)
