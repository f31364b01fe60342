/**
 * TreeScan and TreeScanGradient in one launch, a block for each image and every 8 channels (one 32-byte sector). What
 * levels hand to each other stays in shared memory; a tree that is too large for that has its state in global memory
 * (`memory`).
 *
 * Level by level, a block would wait for the memory bus at each. So it goes by chunks of 32 positions, a vertex a
 * thread, and reads chunks long before their turn, whatever levels they are of; in a chunk, level follows level, and a
 * barrier. Trees are in breadth-first order: positions of a level, and of siblings, are next to each other.
 *
 * The state of a position is decay * sum of its subtree, the product that its parent adds, after the up pass, and its
 * result after the down pass. The own sum is added up again on the way down: its parts are still there.
 */
#include "kernel.h"
#include "tree_schedule.h"


/** Also in tree_scan.ts, with the number of channels. */
constexpr int CHANNELS = 8;
constexpr int ROWS = 32;

/** One block an image. */
KERNEL(tree_schedule, 1024, const int* __restrict__ parent, int* schedules, int numVertices) {
  parent += (size_t)blockIdx.x * numVertices;
  int* const levels = schedules + blockIdx.x * (2 * (size_t)numVertices + 3);
  int* const starts = levels + 1;
  int* const children = starts + numVertices + 1;
  for (int i = threadIdx.x; i <= numVertices; i += blockDim.x) {
    // The first position, but for the root, whose parent is not before i.
    int first = 1, size = numVertices - 1;
    while (size > 0) {
      const int half = size / 2;
      if (parent[first + half] < i) {
        first += half + 1;
        size -= half + 1;
      } else {
        size = half;
      }
    }
    children[i] = first;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  int count = 0;
  for (int start = 0; start < numVertices; start = children[start]) starts[count++] = start;
  starts[count] = numVertices;
  *levels = count;
}

/** Where a thread works. */
struct Lane {
  int channel;
  bool inside;
  /** Of the block in the state. */
  size_t block;
  size_t image;

  __device__ Lane(int channels) {
    const int tiles = (channels + CHANNELS - 1) / CHANNELS;
    image = blockIdx.x / tiles;
    channel = blockIdx.x % tiles * CHANNELS + threadIdx.x;
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
    const int chunks = (numVertices + ROWS - 1) / ROWS;
    const int first = STEP > 0 ? 0 : (chunks - 1) * ROWS;
    const auto startOf = [&](int n) { return first + STEP * n * ROWS; };
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
      for (int end = low + ROWS; end > low;) {
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
      for (int start = low; start < low + ROWS;) {
        if (has(item.position) && item.position >= start && item.position < end) visit(item);
        if (end > low + ROWS) return;  // the level goes on in the next chunk
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

  __device__ float& operator[](int position) const { return values[(size_t)position * CHANNELS + threadIdx.x]; }

  /** The sum of a subtree: the vertex, and what its children hand up. */
  template <int TENSORS>
  __device__ float gather(const Vertex<TENSORS>& vertex, int tensor) const {
    float sum = vertex.value[tensor];
    for (int child = vertex.firstChild; child < vertex.endOfChildren; child++) sum += (*this)[child];
    return sum;
  }
};

KERNEL(tree_scan, CHANNELS* ROWS, const float* __restrict__ x, const float* __restrict__ decay,
       const int* __restrict__ order, const int* __restrict__ parent, const int* __restrict__ schedules, float* y,
       float* memory, int numVertices, int channels, int wholeTree) {
  DYNAMIC_SHARED(float, shared);
  const Lane lane(channels);
  const size_t first = lane.image * numVertices * channels + lane.channel;
  const State state = {memory ? memory + lane.block * numVertices * CHANNELS : shared};
  const Tree<1> tree = {order + lane.image * numVertices, parent + lane.image * numVertices,
                        Schedule(schedules, lane.image, numVertices), numVertices, channels, lane.inside,
                        decay + first, {x + first}};
  y += first;
  tree.up([&](const Vertex<1>& vertex) {
    const float sum = state.gather(vertex, 0);
    if (!wholeTree) y[vertex.place] = sum;
    state[vertex.position] = vertex.decay * sum;
  });
  if (!wholeTree) return;
  tree.down([&](const Vertex<1>& vertex) {
    float sum = state.gather(vertex, 0);
    // What reaches a vertex through its parent is all that the parent has, less what it has from here.
    if (vertex.position > 0) sum += vertex.decay * (state[vertex.parent] - state[vertex.position]);
    y[vertex.place] = sum;
    state[vertex.position] = sum;
  });
}

/** The formulas are in plugin/cpu/tree_scan_gradient.ts. After the down pass the states are y and dx. */
KERNEL(tree_scan_gradient_all, CHANNELS* ROWS, const float* __restrict__ x, const float* __restrict__ decay,
       const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
       const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, float* memory,
       int numVertices, int channels) {
  DYNAMIC_SHARED(float, shared);
  const Lane lane(channels);
  const size_t first = lane.image * numVertices * channels + lane.channel;
  const size_t stateSize = (size_t)numVertices * CHANNELS;
  float* const states = memory ? memory + 2 * lane.block * stateSize : shared;
  const State stateX = {states}, stateDy = {states + stateSize};
  const Tree<3> tree = {order + lane.image * numVertices, parent + lane.image * numVertices,
                        Schedule(schedules, lane.image, numVertices), numVertices, channels, lane.inside,
                        decay + first, {x + first, dy + first, y + first}};
  dx += first;
  ddecay += first;
  tree.up([&](const Vertex<3>& vertex) {
    stateX[vertex.position] = vertex.decay * stateX.gather(vertex, 0);
    stateDy[vertex.position] = vertex.decay * stateDy.gather(vertex, 1);
  });
  tree.down([&](const Vertex<3>& vertex) {
    const int i = vertex.position;
    const float subtreeDy = stateDy.gather(vertex, 1);
    float sum = subtreeDy, slope = 0.0f;
    if (i > 0) {
      const float subtreeX = stateX.gather(vertex, 0);
      const float beyondX = stateX[vertex.parent] - stateX[i];
      const float beyondDy = stateDy[vertex.parent] - stateDy[i];
      sum += vertex.decay * beyondDy;
      slope = subtreeDy * beyondX + subtreeX * beyondDy;
    }
    dx[vertex.place] = sum;
    ddecay[vertex.place] = slope;
    stateX[i] = vertex.value[2];
    stateDy[i] = sum;
  });
}

KERNEL(tree_scan_gradient_root, CHANNELS* ROWS, const float* __restrict__ decay, const int* __restrict__ order,
       const int* __restrict__ parent, const float* __restrict__ y, const float* __restrict__ dy,
       const int* __restrict__ schedules, float* dx, float* ddecay, float* memory, int numVertices, int channels) {
  DYNAMIC_SHARED(float, shared);
  const Lane lane(channels);
  const size_t first = lane.image * numVertices * channels + lane.channel;
  const State state = {memory ? memory + lane.block * numVertices * CHANNELS : shared};
  const Tree<2> tree = {order + lane.image * numVertices, parent + lane.image * numVertices,
                        Schedule(schedules, lane.image, numVertices), numVertices, channels, lane.inside,
                        decay + first, {y + first, dy + first}};
  dx += first;
  ddecay += first;
  tree.down([&](const Vertex<2>& vertex) {
    float sum = vertex.value[1], slope = 0.0f;
    if (vertex.position > 0) {
      const float above = state[vertex.parent];
      sum += vertex.decay * above;
      slope = vertex.value[0] * above;
    }
    dx[vertex.place] = sum;
    ddecay[vertex.place] = slope;
    state[vertex.position] = sum;
  });
}
