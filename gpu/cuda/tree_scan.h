/**
 * Sums along trees, or their gradients, in one launch, a block for each image and every 32 channels. A warp takes a
 * vertex at a time, one channel per lane: reads of the tree are the same for all lanes, a read of a tensor is a row of
 * 128 bytes. The warps take the positions of a level in turn, level after level, with a barrier in between.
 *
 * Trees are in breadth-first order: the positions of a level, and of siblings, are contiguous. So values passed between
 * levels stay in shared memory, in a ring buffer with room for two of them. A subtree's sum, which the way down needs
 * again, is kept in the output. If two levels exceed the ring buffer (`isWide`), values are read from the outputs,
 * through the L2 cache.
 *
 * Level by level, a block would wait for memory in each: rows are therefore prefetched several iterations ahead, into
 * registers. Their number is bounded by OCCUPANCY: too few blocks on a multiprocessor cost more than prefetching less
 * far ahead.
 */
#pragma once
#include "constants.h"
#include "tree_schedule.h"

/** The values of a vertex that a thread reads from global memory. */
template <int TENSORS>
struct Row {
  int parent;
  int firstChild;
  int endOfChildren;
  unsigned place;  // among the values of an image
  float decay;
  float value[TENSORS];
};

/** The channel of a thread, and the tree that its block scans. SHARED: groups of channels share a decay. */
template <bool SHARED>
struct TreeBlock {
  size_t image;
  bool inside;
  /** Offset of the thread's channel in the values, and of its group in the decays. */
  size_t first;
  size_t firstDecay;
  const int* order;
  const int* parent;
  Schedule schedule;
  int numVertices;
  int channels;
  int groups;
  float* ring;
  int mask;

  __device__ TreeBlock(const int* orders, const int* parents, const int* schedules, int numVertices, int channels,
                       int groups, float* ring, int ringRows)
      : image(blockIdx.x / tilesOf(channels)),
        schedule(schedules, image, numVertices),
        numVertices(numVertices),
        channels(channels),
        groups(groups),
        ring(ring + threadIdx.x),
        mask(ringRows - 1) {
    const int channel = blockIdx.x % tilesOf(channels) * TREE_CHANNELS + threadIdx.x;
    inside = channel < channels;
    first = image * numVertices * channels + channel;
    firstDecay = SHARED ? image * numVertices * groups + channel / (channels / groups) : first;
    order = orders + image * numVertices;
    parent = parents + image * numVertices;
  }

  static __device__ int tilesOf(int channels) { return (channels + TREE_CHANNELS - 1) / TREE_CHANNELS; }

  __device__ bool isWide() const { return schedule.widest > mask + 1; }
  /** The value in the ring buffer that a position passes on; the `which`-th of `states`. */
  __device__ float& state(int position, int states = 1, int which = 0) const {
    return ring[((position & mask) * states + which) * TREE_CHANNELS];
  }
  /** Offsets of a vertex's value and decay. */
  __device__ unsigned valueOf(int vertex) const { return (unsigned)vertex * channels; }
  __device__ unsigned decayOf(int vertex) const { return (unsigned)vertex * (SHARED ? groups : channels); }
  /** Offset of a position's value in an output. */
  __device__ unsigned placeOf(int position) const { return valueOf(order[position]); }
};

/**
 * Scans a tree with WARPS warps that prefetch AHEAD rows. `value` begins at the thread's channel, `decay` at its group.
 */
template <int WARPS, int AHEAD, int TENSORS, bool SHARED>
struct Rows {
  const TreeBlock<SHARED>& block;
  const float* decay;
  const float* value[TENSORS];

  __device__ bool has(int position) const { return position >= 0 && position < block.numVertices; }
  __device__ int vertexAt(int position) const { return has(position) ? block.order[position] : 0; }

  __device__ Row<TENSORS> read(int position, int vertex) const {
    Row<TENSORS> row = {};
    if (!has(position)) return row;
    row.parent = block.parent[position];
    row.firstChild = block.schedule.children[position];
    row.endOfChildren = block.schedule.children[position + 1];
    row.place = block.valueOf(vertex);
    if (!block.inside) return row;
    row.decay = decay[block.decayOf(vertex)];
#pragma unroll
    for (int t = 0; t < TENSORS; t++) row.value[t] = value[t][row.place];
    return row;
  }

  /** Calls `visit` with the positions of the warp and their rows; STEP -1 starts at the end. */
  template <int STEP, typename Visit>
  __device__ void forEach(Visit visit) const {
    const int warp = threadIdx.y;
    const int count = warp < block.numVertices ? (block.numVertices - 1 - warp) / WARPS + 1 : 0;
    const int first = STEP > 0 ? warp : warp + (count - 1) * WARPS;
    const auto at = [&](int n) { return n < count ? first + STEP * n * WARPS : -1; };
    Row<TENSORS> rows[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; k++) rows[k] = read(at(k), vertexAt(at(k)));
    int next = vertexAt(at(AHEAD));
    for (int n = 0; n < count; n += AHEAD) {
#pragma unroll
      for (int k = 0; k < AHEAD; k++) {
        if (n + k >= count) break;
        const Row<TENSORS> row = rows[k];
        rows[k] = read(at(n + k + AHEAD), next);
        next = vertexAt(at(n + k + AHEAD + 1));
        visit(first + STEP * (n + k) * WARPS, row);
      }
    }
  }

  /** Calls `visit` with every position of the warp, children before their parents. */
  template <typename Visit>
  __device__ void up(Visit visit) const {
    const int* const starts = block.schedule.starts;
    int level = block.schedule.levels - 1;
    int start = starts[level], startAbove = starts[max(level - 1, 0)];
    const auto nextLevel = [&] {
      __syncthreads();
      level--;
      start = startAbove;
      startAbove = starts[max(level - 1, 0)];
    };
    forEach<-1>([&](int position, const Row<TENSORS>& row) {
      while (position < start) nextLevel();
      visit(position, row);
    });
    while (level > 0) nextLevel();  // all warps meet at every barrier
    __syncthreads();
  }

  /** Calls `visit` with every position of the warp, parents before their children. */
  template <typename Visit>
  __device__ void down(Visit visit) const {
    const int* const starts = block.schedule.starts;
    const int levels = block.schedule.levels;
    int level = 0;
    int end = starts[1], endBelow = starts[min(2, levels)];
    const auto nextLevel = [&] {
      __syncthreads();
      level++;
      end = endBelow;
      endBelow = starts[min(level + 2, levels)];
    };
    forEach<1>([&](int position, const Row<TENSORS>& row) {
      while (position >= end) nextLevel();
      visit(position, row);
    });
    while (level < levels - 1) nextLevel();
  }
};

/**
 * Defines a kernel for each number of warps, `name_4` and so on, by a macro BODY(WARPS, AHEAD): four if levels are
 * small, eight for large trees, and sixteen, which prefetch further ahead, if there are few blocks. tree_grid.ts
 * chooses.
 */
#define TREE_KERNELS(name, BODY, ...)                                                                        \
  KERNEL(name##_4, OCCUPANCY(4 * WARP, 10), __VA_ARGS__){BODY(4, 2)} KERNEL(                                 \
      name##_8, OCCUPANCY(8 * WARP, 5), __VA_ARGS__){BODY(8, 2)} KERNEL(name##_16, 16 * WARP, __VA_ARGS__) { \
    BODY(16, 4)                                                                                              \
  }
