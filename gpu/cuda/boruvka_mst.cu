/**
 * Minimum spanning trees in breadth-first order, one block per image, in shared memory: one launch per batch, without
 * intermediate results for the host. The steps are in spanning_tree.h.
 */
#include "kernel.h"
#include "bitonic_sort.h"
#include "constants.h"
#include "spanning_tree.h"

#define EACH(i, count) for (int i = threadIdx.x; i < (count); i += blockDim.x)

using Word = unsigned;

template <typename Value>
static __device__ inline void swap(Value& a, Value& b) {
  const Value old = a;
  a = b;
  b = old;
}

static __device__ inline void rankArcs(Workspace<Word>& at, int count) {
  for (int reach = 1; reach < count; reach *= 2) {
    EACH(i, count) doubleLink(at.links, at.nextLinks, i);
    __syncthreads();
    swap(at.links, at.nextLinks);
  }
}

/** From the arcs of a tree to its order. The names of the steps' parameters say what `parent` holds in between. */
static __device__ inline void orderTree(Workspace<Word> at, int numVertices, int root, int* order, int* parent,
                                        unsigned* sums) {
  const int count = 2 * (numVertices - 1);
  sortByBlock(at.arcs, count);
  EACH(i, count) linkArc(at, count, root, i);
  EACH(i, at.words) at.bits[i] = 0;
  __syncthreads();
  rankArcs(at, count);
  EACH(i, count) noteParent(at, root, i, parent);
  __syncthreads();
  EACH(i, count) relinkArc(at, count, i, parent);
  __syncthreads();
  rankArcs(at, count);
  EACH(i, count) markArc(at, count, i);
  __syncthreads();
  countBits(at, sums);
  EACH(i, count) numberVertex(at, count, i, parent);
  if (threadIdx.x == 0) at.keys[0] = 0;
  __syncthreads();
  sortByBlock(at.keys, numVertices);
  EACH(i, numVertices) placeVertex(at, root, i, parent, order);
  __syncthreads();
  EACH(i, count) placeParent(at, i, parent);
  if (threadIdx.x == 0) parent[0] = 0;
}

KERNEL(boruvka_mst, IMAGE_THREADS, const float* __restrict__ weights, const int2* __restrict__ edges,
       int* __restrict__ edgeIndex, int* order, int* parent, int numVertices, int numEdges, int root) {
  DYNAMIC_SHARED(unsigned long long, memory);
  __shared__ unsigned sums[IMAGE_THREADS / WARP];
  Workspace<Word> at(memory, numVertices, numEdges);
  const size_t image = blockIdx.x;
  weights += image * numEdges;
  EACH(v, numVertices) beginVertex(at, v);
  EACH(i, at.words) at.bits[i] = 0;
  __syncthreads();
  for (;;) {
    bool crossing = false;
    EACH(e, numEdges) crossing |= propose(at, weights, edges, e);
    if (!__syncthreads_or(crossing)) break;
    EACH(v, numVertices) hook(at, edges, v);
    bool moved = true;
    while (__syncthreads_or(moved)) {
      moved = false;
      EACH(v, numVertices) moved |= doubleComponentLink(at, v);
      swap(at.link, at.nextLink);
    }
    EACH(v, numVertices) followLink(at, v);
    __syncthreads();
  }
  countBits(at, sums);
  EACH(e, numEdges) collect(at, edges, e, edgeIndex + image * (numVertices - 1));
  __syncthreads();
  orderTree(at, numVertices, root, order + image * numVertices, parent + image * numVertices, sums);
}
