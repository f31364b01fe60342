/**
 * Distances of vertices to their parents, for each group of channels: distances.h, EDGE_THREADS threads per group. In
 * the gradient, each thread sums one element over the edges at its vertex, in a fixed order. For the cosine, another
 * launch computes the factors of every edge before. The formulas are in plugin/cpu/slopes.ts.
 */
#include "kernel.h"
#include "distances.h"
#include "tree_schedule.h"

/** Sizes of a call; the parameters of all kernels. */
struct Sizes {
  int batch;
  int numVertices;
  int groups;
  int size;  // channels of a group
};

/**
 * Gradients of both ends of an edge in terms of their own features and those of the other: d = -(cross * other - self *
 * own).
 */
struct Factors {
  float crossOfVertex;
  float selfOfVertex;
  float crossOfParent;
  float selfOfParent;
};

/**
 * Calls visit(index of [B, V, G], whether there is a parent, sums) in the first thread of every group of every vertex.
 */
template <int metric, typename Visit>
static __device__ inline void forEachGroup(const float* features, const int* order, const int* parent, Sizes sizes,
                                           Visit visit) {
  const long long items = (long long)sizes.batch * sizes.numVertices * sizes.groups;
  const long long itemsOfBlock = blockDim.x / EDGE_THREADS;
  // All threads of a warp execute every iteration together, for the shuffles.
  for (long long begin = blockIdx.x * itemsOfBlock; begin < items; begin += gridDim.x * itemsOfBlock) {
    const long long at = begin + threadIdx.x / EDGE_THREADS;
    Sums<metric> sums;
    size_t v = 0;
    bool isRoot = true;
    if (at < items) {
      const long long row = at / sizes.groups;
      const int group = (int)(at - row * sizes.groups);
      const long long first = row - row % sizes.numVertices;
      isRoot = row == first;
      v = (first + order[row]) * sizes.groups + group;
      const size_t p = (first + order[first + parent[row]]) * sizes.groups + group;
      if (!isRoot) sums.add(features + v * sizes.size, features + p * sizes.size, sizes.size);
    }
    sums.foldAll();
    if (threadIdx.x % EDGE_THREADS == 0 && at < items) visit(v, !isRoot, sums);
  }
}

#define PARENT_DISSIMILARITY(name, metric)                                                                          \
  KERNEL(name, THREADS, const float* __restrict__ features, const int* __restrict__ order,                          \
         const int* __restrict__ parent, float* __restrict__ distance, Sizes sizes) {                               \
    forEachGroup<metric>(features, order, parent, sizes, [&](size_t at, bool hasParent, const Sums<metric>& sums) { \
      distance[at] = hasParent ? sums.dissimilarity() : 0.0f;                                                       \
    });                                                                                                             \
  }

PARENT_DISSIMILARITY(parent_dissimilarity_cosine, COSINE)
PARENT_DISSIMILARITY(parent_dissimilarity_euclidean, EUCLIDEAN)
PARENT_DISSIMILARITY(parent_dissimilarity_manhattan, MANHATTAN)

/** The factors of every edge of the cosine, by index of [B, V, G]. */
KERNEL(parent_dissimilarity_factors, THREADS, const float* __restrict__ features, const int* __restrict__ order,
       const int* __restrict__ parent, const float* __restrict__ dy, Factors* __restrict__ factors, Sizes sizes) {
  forEachGroup<COSINE>(features, order, parent, sizes, [&](size_t at, bool hasParent, const Sums<COSINE>& sums) {
    if (!hasParent) return;
    const double normU = sums.normU(), normV = sums.normV();
    const double scale = dy[at] / (clamped(normU) * clamped(normV));
    // A clamped norm is constant.
    const auto self = [&](double norm) {
      return norm > SMALLEST_NORM ? (float)(scale * sums.sum / (norm * norm)) : 0.0f;
    };
    factors[at] = {normU == 0 ? 0.0f : (float)scale, self(normU), normV == 0 ? 0.0f : (float)scale, self(normV)};
  });
}

/**
 * Sums over the edges at every vertex, one element per thread. `slopeAt` is called with the index of the edge, whether
 * the vertex is its parent, the vertex's own value and that at the other end.
 */
template <typename SlopeAt>
static __device__ inline void collect(const float* features, const int* order, const int* parent, const int* schedules,
                                      float* dfeatures, Sizes sizes, SlopeAt slopeAt) {
  const int channels = sizes.groups * sizes.size;
  const long long count = (long long)sizes.batch * sizes.numVertices * channels;
  for (long long at = blockIdx.x * (long long)blockDim.x + threadIdx.x; at < count;
       at += gridDim.x * (long long)blockDim.x) {
    const long long row = at / channels;
    const int channel = (int)(at - row * channels);
    const int group = channel / sizes.size;
    const size_t image = row / sizes.numVertices;
    const size_t first = image * sizes.numVertices;
    const int position = (int)(row - first);
    const Schedule schedule(schedules, image, sizes.numVertices);
    const size_t v = first + order[row];
    const float own = features[v * channels + channel];
    float sum = 0.0f;
    if (position > 0) {
      const size_t p = first + order[first + parent[row]];
      sum += slopeAt(v * sizes.groups + group, false, own, features[p * channels + channel]);
    }
    for (int child = schedule.children[position]; child < schedule.children[position + 1]; child++) {
      const size_t c = first + order[first + child];
      sum += slopeAt(c * sizes.groups + group, true, own, features[c * channels + channel]);
    }
    dfeatures[v * channels + channel] = sum;
  }
}

#define TREE_PARAMETERS                                                                              \
  const float* __restrict__ features, const int* __restrict__ order, const int* __restrict__ parent, \
      const int* __restrict__ schedules

KERNEL(parent_dissimilarity_gradient_cosine, THREADS, TREE_PARAMETERS, const Factors* __restrict__ factors,
       float* __restrict__ dfeatures, Sizes sizes) {
  collect(features, order, parent, schedules, dfeatures, sizes, [&](size_t at, bool isParent, float own, float other) {
    const Factors& edge = factors[at];
    return (isParent ? edge.selfOfParent : edge.selfOfVertex) * own -
           (isParent ? edge.crossOfParent : edge.crossOfVertex) * other;
  });
}

KERNEL(parent_dissimilarity_gradient_euclidean, THREADS, TREE_PARAMETERS, const float* __restrict__ dy,
       float* __restrict__ dfeatures, Sizes sizes) {
  collect(features, order, parent, schedules, dfeatures, sizes,
          [&](size_t at, bool, float own, float other) { return 2.0f * dy[at] * (own - other); });
}

KERNEL(parent_dissimilarity_gradient_manhattan, THREADS, TREE_PARAMETERS, const float* __restrict__ dy,
       float* __restrict__ dfeatures, Sizes sizes) {
  collect(features, order, parent, schedules, dfeatures, sizes, [&](size_t at, bool, float own, float other) {
    return own > other ? dy[at] : own < other ? -dy[at] : 0.0f;
  });
}
