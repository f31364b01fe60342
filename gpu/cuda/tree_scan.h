/**
 * Sums along trees, or their gradients, in one launch, a block for each image and every 8 channels (one 32-byte sector). What
 * levels hand to each other stays in shared memory; a tree that is too large for that has its state in global memory
 * (`memory`).
 *
 * Level by level, a block would wait for the memory bus at each. So it goes by chunks of 32 positions, a vertex a
 * thread, and reads chunks long before it computes them, whatever levels they are of; in a chunk, level follows level,
 * and a barrier. Trees are in breadth-first order: positions of a level, and of siblings, are next to each other.
 *
 * The state of a position is decay * sum of its subtree, the product that its parent adds, after the up pass, and its
 * result after the down pass. The own sum is added up again on the way down: its parts are still there.
 */
#pragma once
#include "constants.h"
#include "tree_schedule.h"

/** Where a thread works. */
struct Position {
  int channel;
  bool inside;
  /** Of the block in the state. */
  size_t block;
  size_t image;

  __device__ Position(int channels) {
    const int tiles = (channels + TREE_CHANNELS - 1) / TREE_CHANNELS;
    image = blockIdx.x / tiles;
    channel = blockIdx.x % tiles * TREE_CHANNELS + threadIdx.x;
    inside = channel < channels;
    block = blockIdx.x;
  }
};

/** What a thread reads of a vertex from global memory. */
template <int TENSORS>
struct Vertex {
  int position;
  int parent;
  int firstChild;
  int endOfChildren;
  unsigned place;  // among the values of an image
  float decay;
  float value[TENSORS];
};

template <int TENSORS>
struct Tree {
  /** Chunks that are read ahead, in registers: some ten levels in trees of images. */
  static constexpr int AHEAD = TENSORS == 1 ? 4 : 3;

  const int* order;
  const int* parent;
  Schedule schedule;
  int numVertices;
  int channels;
  bool inside;
  const float* decay;
  const float* value[TENSORS];

  __device__ bool has(int position) const { return inside && position >= 0 && position < numVertices; }
  __device__ int vertexAt(int position) const { return has(position) ? order[position] : 0; }

  __device__ Vertex<TENSORS> read(int position, int vertex) const {
    Vertex<TENSORS> item = {};
    item.position = position;
    if (!has(position)) return item;
    item.place = (unsigned)vertex * channels;
    item.decay = decay[item.place];
    for (int t = 0; t < TENSORS; t++) item.value[t] = value[t][item.place];
    item.parent = parent[position];
    item.firstChild = schedule.children[position];
    item.endOfChildren = schedule.children[position + 1];
    return item;
  }

  /** Calls `visit` with the thread's vertex of every chunk and where that starts; STEP -1 begins at the end. */
  template <int STEP, typename Visit>
  __device__ void forEachChunk(Visit visit) const {
    const int chunks = (numVertices + TREE_ROWS - 1) / TREE_ROWS;
    const int first = STEP > 0 ? 0 : (chunks - 1) * TREE_ROWS;
    const auto startOf = [&](int n) { return first + STEP * n * TREE_ROWS; };
    const int row = threadIdx.y;
    Vertex<TENSORS> items[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; k++) items[k] = read(startOf(k) + row, vertexAt(startOf(k) + row));
    int next = vertexAt(startOf(AHEAD) + row);
    for (int n = 0; n < chunks; n += AHEAD) {
#pragma unroll
      for (int k = 0; k < AHEAD; k++) {
        if (n + k >= chunks) break;
        const Vertex<TENSORS> item = items[k];
        items[k] = read(startOf(n + k + AHEAD) + row, next);
        next = vertexAt(startOf(n + k + AHEAD + 1) + row);
        visit(item, startOf(n + k));
      }
    }
  }

  /** Calls `visit` with every vertex of the thread, children before their parents. */
  template <typename Visit>
  __device__ void up(Visit visit) const {
    const auto startOf = [&](int level) { return level >= 0 ? schedule.starts[level] : -1; };
    int level = schedule.levels - 1;
    int start = startOf(level), startAbove = startOf(level - 1);
    forEachChunk<-1>([&](const Vertex<TENSORS>& item, int low) {
      for (int end = low + TREE_ROWS; end > low;) {
        if (has(item.position) && item.position >= start && item.position < end) visit(item);
        if (start < low) return;  // the level goes on in the next chunk
        __syncthreads();
        end = start;
        start = startAbove;
        level--;
        startAbove = startOf(level - 1);
      }
    });
  }

  /** Calls `visit` with every vertex of the thread, parents before their children. */
  template <typename Visit>
  __device__ void down(Visit visit) const {
    const auto endOf = [&](int level) { return level < schedule.levels ? schedule.starts[level + 1] : INT_MAX; };
    int level = 0;
    int end = endOf(level), endBelow = endOf(level + 1);
    forEachChunk<1>([&](const Vertex<TENSORS>& item, int low) {
      for (int start = low; start < low + TREE_ROWS;) {
        if (has(item.position) && item.position >= start && item.position < end) visit(item);
        if (end > low + TREE_ROWS) return;  // the level goes on in the next chunk
        __syncthreads();
        start = end;
        end = endBelow;
        level++;
        endBelow = endOf(level + 1);
      }
    });
  }
};

/** The state of one tensor by position. */
struct State {
  float* values;

  __device__ float& operator[](int position) const { return values[(size_t)position * TREE_CHANNELS + threadIdx.x]; }

  /** The sum of a subtree: the vertex, and what its children hand up. */
  template <int TENSORS>
  __device__ float gather(const Vertex<TENSORS>& vertex, int tensor) const {
    float sum = vertex.value[tensor];
    for (int child = vertex.firstChild; child < vertex.endOfChildren; child++) sum += (*this)[child];
    return sum;
  }
};
