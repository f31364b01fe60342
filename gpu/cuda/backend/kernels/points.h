/** Rows of a tensor by the indices of several of its axes. */
#pragma once
#include "indexing.h"

/** The row that indices[point, 0 .. depth - 1] select: the sum of index times stride. */
__device__ inline int rowOf(const int* __restrict__ indices, unsigned point, int depth, const Strides& strides) {
  long long row = 0;
#pragma unroll  // so that the struct is not copied to local memory
  for (int d = 0; d < MAX_AXES; d++) {
    if (d < depth) row += (long long)indices[(size_t)point * depth + d] * strides.along[d];
  }
  return row < 0 || row > INT32_MAX ? -1 : (int)row;
}
