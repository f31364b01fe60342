/**
 * Weights of edges, bit for bit that of plugin/cpu/edge_dissimilarity.ts. Eight threads share an edge: each holds one
 * of the eight interleaved partial sums, so that a group reads whole 32-byte sectors, and the fold 8 -> 4 -> 2 -> 1 is
 * three shuffles. Nothing is fused or reassociated; the cosine is finished in float64 and rounded once.
 *
 * The norms of both ends are summed again for every edge: their rows are in registers anyway, and so it is one launch.
 */
#include "kernel.h"
#include "constants.h"

constexpr double SMALLEST_NORM = 1e-8;
constexpr unsigned WHOLE_WARP = 0xffffffff;

enum Metric { COSINE = 0, EUCLIDEAN = 1, MANHATTAN = 2 };

/** The sum of the group, in its first thread. */
static __device__ inline float fold(float partial) {
  for (int half = EDGE_THREADS / 2; half >= 1; half /= 2) {
    partial = __fadd_rn(partial, __shfl_down_sync(WHOLE_WARP, partial, half, EDGE_THREADS));
  }
  return partial;
}

static __device__ inline double clampedNorm(float squares) {
  const double norm = __dsqrt_rn((double)squares);
  return norm < SMALLEST_NORM ? SMALLEST_NORM : norm;  // NaN stays
}

template <int metric>
static __device__ inline void weigh(const float* features, const int2* edges, float* weights, int batch,
                                    int numVertices, int numEdges, int channels) {
  const int thread = threadIdx.x % EDGE_THREADS;
  const long long groups = blockDim.x / EDGE_THREADS;
  const long long count = (long long)batch * numEdges;
  // All threads of a warp take every iteration together, for the shuffles.
  for (long long first = blockIdx.x * groups; first < count; first += gridDim.x * groups) {
    const long long at = first + threadIdx.x / EDGE_THREADS;
    float sum = 0.0f, squaresU = 0.0f, squaresV = 0.0f;
    if (at < count) {
      const int image = (int)(at / numEdges);
      const int2 edge = edges[at - (long long)image * numEdges];
      const float* const u = features + ((size_t)image * numVertices + edge.x) * channels;
      const float* const v = features + ((size_t)image * numVertices + edge.y) * channels;
#pragma unroll 4
      for (int d = thread; d < channels; d += EDGE_THREADS) {
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
    sum = fold(sum);
    if (metric == COSINE) {
      squaresU = fold(squaresU);
      squaresV = fold(squaresV);
    }
    if (thread != 0 || at >= count) continue;
    if (metric == COSINE) {
      const double norms = __dmul_rn(clampedNorm(squaresU), clampedNorm(squaresV));
      weights[at] = __double2float_rn(__ddiv_rn(-(double)sum, norms));
    } else {
      weights[at] = sum;
    }
  }
}

#define EDGE_DISSIMILARITY(name, metric)                                                        \
  KERNEL(name, THREADS, const float* __restrict__ features, const int2* __restrict__ edges,     \
         float* __restrict__ weights, int batch, int numVertices, int numEdges, int channels) { \
    weigh<metric>(features, edges, weights, batch, numVertices, numEdges, channels);            \
  }

EDGE_DISSIMILARITY(edge_dissimilarity_cosine, COSINE)
EDGE_DISSIMILARITY(edge_dissimilarity_euclidean, EUCLIDEAN)
EDGE_DISSIMILARITY(edge_dissimilarity_manhattan, MANHATTAN)
