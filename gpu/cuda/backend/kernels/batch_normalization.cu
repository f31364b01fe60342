/** Batch normalisation with given moments. */
#include "kernel.h"
#include "indexing.h"

/** Values that are repeated along the elements of x; null for none. */
struct Repeated {
  const float* values;
  int length;
  /** `place` is i % placeLength. */
  __device__ float at(unsigned i, unsigned place, int placeLength, float otherwise) const {
    if (!values) return otherwise;
    return values[length == placeLength ? place : i % length];
  }
};

/** y = offset + (x - mean) scale / sqrt(variance + epsilon). */
KERNEL(batch_normalization, THREADS, const float* __restrict__ x, const float* mean, int means, const float* variance,
       int variances, const float* offset, int offsets, const float* scale, int scales, float* __restrict__ y, int size,
       float epsilon) {
  const Repeated varianceOf{variance, variances}, offsetOf{offset, offsets}, scaleOf{scale, scales};
  FOR_EACH(i, size) {
    const unsigned place = i % means;
    const float deviation = sqrtf(varianceOf.at(i, place, means, 1.0f) + epsilon);
    y[i] = offsetOf.at(i, place, means, 0.0f) + (x[i] - mean[place]) * scaleOf.at(i, place, means, 1.0f) / deviation;
  }
}
