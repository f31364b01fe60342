/**
 * The same as boruvka_mst.cu for graphs that exceed the shared memory of a block: every step is a kernel of many
 * blocks, blockIdx.y the image. The host launches as many rounds as the largest graph could need, without reading back;
 * rounds that are not needed return immediately.
 */
#include "kernel.h"
#include "bitonic_sort.h"
#include "constants.h"
#include "indexing.h"
#include "spanning_tree.h"

using Word = unsigned long long;

struct Graph {
  int numVertices;
  int numEdges;
  int root;
  /** Bytes between the workspaces of consecutive images. */
  int workspaceBytes;
};

static __device__ inline Workspace<Word> workspaceOf(char* memory, const Graph& graph) {
  return {memory + (size_t)blockIdx.y * graph.workspaceBytes, graph.numVertices, graph.numEdges};
}

static __device__ inline bool isActive(const Workspace<Word>& at, int round) { return round < 0 || at.active[round]; }

KERNEL(mst_begin, THREADS, char* memory, Graph graph) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  FOR_EACH(v, graph.numVertices) beginVertex(at, v);
  FOR_EACH(i, at.words) at.bits[i] = 0;
  FOR_EACH(round, MOST_ROUNDS) at.active[round] = 0;
}

KERNEL(mst_propose, THREADS, char* memory, Graph graph, int round, const float* __restrict__ weights,
       const int2* __restrict__ edges) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  if (!isActive(at, round - 1)) return;
  weights += (size_t)blockIdx.y * graph.numEdges;
  bool crossing = false;
  FOR_EACH(e, graph.numEdges) crossing |= propose(at, weights, edges, e);
  // Volatile, because many threads write the same value.
  if (crossing) *(volatile int*)&at.active[round] = 1;
}

KERNEL(mst_hook, THREADS, char* memory, Graph graph, int round, const int2* __restrict__ edges) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  if (!isActive(at, round)) return;
  FOR_EACH(v, graph.numVertices) hook(at, edges, v);
}

KERNEL(mst_walk, THREADS, char* memory, Graph graph, int round) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  if (!isActive(at, round)) return;
  FOR_EACH(v, graph.numVertices) walkLinks(at, v);
}

/** One block an image. */
KERNEL(mst_count, IMAGE_THREADS, char* memory, Graph graph) {
  __shared__ unsigned sums[IMAGE_THREADS / WARP];
  countBits(workspaceOf(memory, graph), sums);
}

KERNEL(mst_collect, THREADS, char* memory, Graph graph, const int2* __restrict__ edges, int* __restrict__ edgeIndex) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  edgeIndex += (size_t)blockIdx.y * (graph.numVertices - 1);
  FOR_EACH(e, graph.numEdges) collect(at, edges, e, edgeIndex);
}

// Sorting the arcs, or the depths.

static __device__ inline Word* keysOf(char* memory, const Graph& graph, bool depths) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  return depths ? at.keys : at.arcs;
}
static __device__ inline unsigned sizeOf(const Graph& graph, bool depths) {
  return depths ? graph.numVertices : 2 * (graph.numVertices - 1);
}

/** Runs of SORT_TILE keys: sorted, or (`merge`) the last steps of a merge whose longer distances are already done. */
KERNEL(sort_tiles, IMAGE_THREADS, char* memory, Graph graph, int depths, int merge) {
  __shared__ Word tile[SORT_TILE];
  Word* const keys = keysOf(memory, graph, depths) + (size_t)blockIdx.x * SORT_TILE;
  const unsigned size = min((unsigned)SORT_TILE, sizeOf(graph, depths) - blockIdx.x * SORT_TILE);
  for (unsigned i = threadIdx.x; i < size; i += blockDim.x) tile[i] = keys[i];
  __syncthreads();
  if (merge) finishMerge(tile, size, SORT_TILE);
  else sortByBlock(tile, size, SORT_TILE);
  for (unsigned i = threadIdx.x; i < size; i += blockDim.x) keys[i] = tile[i];
}

KERNEL(sort_step, THREADS, char* memory, Graph graph, int depths, int distance, int mirrored) {
  Word* const keys = keysOf(memory, graph, depths);
  const unsigned size = sizeOf(graph, depths);
  FOR_EACH(pair, size) {
    const unsigned below = lowerPlace(pair, distance);
    if (below >= size) break;
    const unsigned above = upperPlace(below, distance, mirrored);
    if (above < size) sortPair(keys, below, above);
  }
}

// The order of the tree.

KERNEL(tour_link, THREADS, char* memory, Graph graph) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  const unsigned count = 2 * (graph.numVertices - 1);
  FOR_EACH(i, count) linkArc(at, count, graph.root, i);
  FOR_EACH(i, at.words) at.bits[i] = 0;
}

/** Writes to the second array and, every other time, back. */
KERNEL(tour_double, THREADS, char* memory, Graph graph, int back) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  const Word* const from = back ? at.nextLinks : at.links;
  Word* const to = back ? at.links : at.nextLinks;
  FOR_EACH(i, 2 * (graph.numVertices - 1)) doubleLink(from, to, i);
}

KERNEL(tour_note_parents, THREADS, char* memory, Graph graph, int* parentArcs) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  parentArcs += (size_t)blockIdx.y * graph.numVertices;
  FOR_EACH(i, 2 * (graph.numVertices - 1)) noteParent(at, graph.root, i, parentArcs);
}

KERNEL(tour_relink, THREADS, char* memory, Graph graph, const int* parentArcs) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  const unsigned count = 2 * (graph.numVertices - 1);
  parentArcs += (size_t)blockIdx.y * graph.numVertices;
  FOR_EACH(i, count) relinkArc(at, count, i, parentArcs);
}

KERNEL(tour_mark, THREADS, char* memory, Graph graph) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  const unsigned count = 2 * (graph.numVertices - 1);
  FOR_EACH(i, count) markArc(at, count, i);
}

KERNEL(tour_number, THREADS, char* memory, Graph graph, int* vertices) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  const unsigned count = 2 * (graph.numVertices - 1);
  vertices += (size_t)blockIdx.y * graph.numVertices;
  FOR_EACH(i, count) numberVertex(at, count, i, vertices);
  if (blockIdx.x == 0 && threadIdx.x == 0) at.keys[0] = 0;
}

KERNEL(tour_place_vertices, THREADS, char* memory, Graph graph, const int* vertices, int* order) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  const size_t image = (size_t)blockIdx.y * graph.numVertices;
  FOR_EACH(i, graph.numVertices) placeVertex(at, graph.root, i, vertices + image, order + image);
}

KERNEL(tour_place_parents, THREADS, char* memory, Graph graph, int* parent) {
  const Workspace<Word> at = workspaceOf(memory, graph);
  parent += (size_t)blockIdx.y * graph.numVertices;
  FOR_EACH(i, 2 * (graph.numVertices - 1)) placeParent(at, i, parent);
  if (blockIdx.x == 0 && threadIdx.x == 0) parent[0] = 0;
}
