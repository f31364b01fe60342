/** Maps threads to elements. */
#pragma once

/** Visits 0 .. size - 1, distributed over all threads of the grid: neighbouring threads take neighbouring elements. */
#define FOR_EACH(i, size) \
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)(size); i += gridDim.x * blockDim.x)

/** The extents of a tensor, last axis first, and the strides of an input along each. */
struct Axes {
  int count;
  int extent[MAX_AXES];
};
struct Strides {
  int along[MAX_AXES];
};

/** Offset in an input of the element that belongs to element i of the output. */
__device__ inline unsigned placeOf(unsigned i, const Axes& axes, const Strides& strides) {
  unsigned place = 0;
#pragma unroll  // otherwise the arrays would be copied to local memory
  for (int axis = 0; axis < MAX_AXES; axis++) {
    if (axis == axes.count) break;
    const unsigned rest = i / axes.extent[axis];
    place += (i - rest * axes.extent[axis]) * strides.along[axis];
    i = rest;
  }
  return place;
}

/** The same for two inputs at once. */
__device__ inline uint2 placesOf(unsigned i, const Axes& axes, const Strides& a, const Strides& b) {
  uint2 places = make_uint2(0, 0);
#pragma unroll  // otherwise the arrays would be copied to local memory
  for (int axis = 0; axis < MAX_AXES; axis++) {
    if (axis == axes.count) break;
    const unsigned rest = i / axes.extent[axis];
    const unsigned at = i - rest * axes.extent[axis];
    places.x += at * a.along[axis];
    places.y += at * b.along[axis];
    i = rest;
  }
  return places;
}
