/**
 * Distances of two rows, equal bit for bit to those of plugin/cpu/edge_dissimilarity.ts. EDGE_THREADS threads share two
 * rows: each holds one of the eight interleaved partial sums, so that a group reads whole 32-byte sectors, and the
 * reduction 8 -> 4 -> 2 -> 1 is three shuffles. Nothing is fused or reassociated; the last step of the cosine is in
 * float64.
 */
#pragma once
#include "constants.h"

constexpr double SMALLEST_NORM = 1e-8;

enum Metric { COSINE = 0, EUCLIDEAN = 1, MANHATTAN = 2 };

/** The sum of the group, in its first thread. */
static __device__ inline float fold(float partial) {
  for (int half = EDGE_THREADS / 2; half >= 1; half /= 2) {
    partial = __fadd_rn(partial, __shfl_down_sync(0xffffffff, partial, half, EDGE_THREADS));
  }
  return partial;
}

static __device__ inline double clamped(double norm) {
  return norm < SMALLEST_NORM ? SMALLEST_NORM : norm;  // NaN stays
}

/** The sums over two rows: the distance, or the dot product and the squares of both. */
template <int metric>
struct Sums {
  float sum = 0.0f;
  float squaresU = 0.0f;
  float squaresV = 0.0f;

  /** The channels of the thread. */
  __device__ inline void add(const float* u, const float* v, int channels) {
#pragma unroll 4
    for (int d = threadIdx.x % EDGE_THREADS; d < channels; d += EDGE_THREADS) {
      const float a = u[d], b = v[d];
      if (metric == COSINE) {
        sum = __fadd_rn(sum, __fmul_rn(a, b));
        squaresU = __fadd_rn(squaresU, __fmul_rn(a, a));
        squaresV = __fadd_rn(squaresV, __fmul_rn(b, b));
      } else {
        const float difference = __fsub_rn(a, b);
        sum = __fadd_rn(sum, metric == EUCLIDEAN ? __fmul_rn(difference, difference) : fabsf(difference));
      }
    }
  }

  /** Reduces the sums of all threads to the first one. All threads of a warp must call it together. */
  __device__ inline void foldAll() {
    sum = fold(sum);
    if (metric != COSINE) return;
    squaresU = fold(squaresU);
    squaresV = fold(squaresV);
  }

  __device__ inline double normU() const { return __dsqrt_rn((double)squaresU); }
  __device__ inline double normV() const { return __dsqrt_rn((double)squaresV); }

  /** In the first thread. */
  __device__ inline float dissimilarity() const {
    if (metric != COSINE) return sum;
    return __double2float_rn(__ddiv_rn(-(double)sum, __dmul_rn(clamped(normU()), clamped(normV()))));
  }
};
