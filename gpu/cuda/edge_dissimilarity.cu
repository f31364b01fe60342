/**
 * Weights of edges: distances.h. The norms of both ends are computed for every edge: their rows are in registers
 * anyway, and so one launch suffices.
 */
#include "kernel.h"
#include "distances.h"

template <int metric>
static __device__ inline void weigh(const float* features, const int2* edges, float* weights, int batch,
                                    int numVertices, int numEdges, int channels) {
  const long long groups = blockDim.x / EDGE_THREADS;
  const long long count = (long long)batch * numEdges;
  // All threads of a warp execute every iteration together, for the shuffles.
  for (long long first = blockIdx.x * groups; first < count; first += gridDim.x * groups) {
    const long long at = first + threadIdx.x / EDGE_THREADS;
    Sums<metric> sums;
    if (at < count) {
      const int image = (int)(at / numEdges);
      const int2 edge = edges[at - (long long)image * numEdges];
      const float* const u = features + ((size_t)image * numVertices + edge.x) * channels;
      const float* const v = features + ((size_t)image * numVertices + edge.y) * channels;
      sums.add(u, v, channels);
    }
    sums.foldAll();
    if (threadIdx.x % EDGE_THREADS == 0 && at < count) weights[at] = sums.dissimilarity();
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
