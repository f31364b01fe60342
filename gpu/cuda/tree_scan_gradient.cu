/** Gradients of sums along trees: tree_scan.h. The formulas are in plugin/cpu/tree_scan_gradient.ts. */
#include "kernel.h"
#include "tree_scan.h"

/**
 * Tensors, offset to the channel of a thread, `decay` to its group. Subtree sums of x and dy are kept in ddecay and dx;
 * ddecay is [B, V, D], and if channels share a decay it is summed afterwards.
 */
struct Gradient {
  const float* x;
  const float* decay;
  const float* y;
  const float* dy;
  float* dx;
  float* ddecay;
};

template <int WARPS, int AHEAD, bool WIDE, bool SHARED>
__device__ inline void backpropagateAll(const TreeBlock<SHARED>& block, const Gradient& at) {
  constexpr int X = 0, DY = 1;
  const auto state = [&](int position, int which) -> float& { return block.state(position, 2, which); };
  const Rows<WARPS, AHEAD, 2, SHARED> subtrees = {block, at.decay, {at.x, at.dy}};
  subtrees.up([&](int position, const Row<2>& row) {
    float sumX = row.value[X], sumDy = row.value[DY];
    for (int child = row.firstChild; child < row.endOfChildren; child++) {
      if (!WIDE) {
        sumX += state(child, X);
        sumDy += state(child, DY);
      } else if (block.inside) {
        const unsigned place = block.placeOf(child);
        const float decay = at.decay[block.decayOf(block.order[child])];
        sumX += decay * at.ddecay[place];
        sumDy += decay * at.dx[place];
      }
    }
    if (block.inside) {
      at.ddecay[row.place] = sumX;
      at.dx[row.place] = sumDy;
    }
    if (!WIDE) {
      state(position, X) = row.decay * sumX;
      state(position, DY) = row.decay * sumDy;
    }
  });
  const Rows<WARPS, AHEAD, 3, SHARED> vertices = {block, at.decay, {at.ddecay, at.dx, at.y}};
  vertices.down([&](int position, const Row<3>& row) {
    const float subtreeX = row.value[0], subtreeDy = row.value[1];
    float sum = subtreeDy, slope = 0.0f;
    if (position > 0 && block.inside) {
      const unsigned place = WIDE ? block.placeOf(row.parent) : 0;
      const float aboveX = WIDE ? at.y[place] : state(row.parent, X);
      const float aboveDy = WIDE ? at.dx[place] : state(row.parent, DY);
      const float beyondX = aboveX - row.decay * subtreeX;
      const float beyondDy = aboveDy - row.decay * subtreeDy;
      sum += row.decay * beyondDy;
      slope = subtreeDy * beyondX + subtreeX * beyondDy;
    }
    if (block.inside) {
      at.dx[row.place] = sum;
      at.ddecay[row.place] = slope;
    }
    if (!WIDE) {
      state(position, X) = row.value[2];
      state(position, DY) = sum;
    }
  });
}

template <int WARPS, int AHEAD, bool WIDE, bool SHARED>
__device__ inline void backpropagateRoot(const TreeBlock<SHARED>& block, const Gradient& at) {
  const Rows<WARPS, AHEAD, 2, SHARED> vertices = {block, at.decay, {at.y, at.dy}};
  vertices.down([&](int position, const Row<2>& row) {
    float sum = row.value[1], slope = 0.0f;
    if (position > 0 && block.inside) {
      const float above = WIDE ? at.dx[block.placeOf(row.parent)] : block.state(row.parent);
      sum += row.decay * above;
      slope = row.value[0] * above;
    }
    if (block.inside) {
      at.dx[row.place] = sum;
      at.ddecay[row.place] = slope;
    }
    if (!WIDE) block.state(position) = sum;
  });
}

#define BACKPROPAGATE(backpropagate, x, SHARED, groups, WARPS, AHEAD)                                     \
  DYNAMIC_SHARED(float, ring);                                                                            \
  const TreeBlock<SHARED> block(order, parent, schedules, numVertices, channels, groups, ring, ringRows); \
  const Gradient at = {x + block.first,  decay + block.firstDecay, y + block.first,                       \
                       dy + block.first, dx + block.first,         ddecay + block.first};                 \
  if (block.isWide()) {                                                                                   \
    backpropagate<WARPS, AHEAD, true>(block, at);                                                         \
  } else {                                                                                                \
    backpropagate<WARPS, AHEAD, false>(block, at);                                                        \
  }
#define BACKPROPAGATE_ALL(WARPS, AHEAD) BACKPROPAGATE(backpropagateAll, x, false, channels, WARPS, AHEAD)
#define BACKPROPAGATE_SHARED(WARPS, AHEAD) BACKPROPAGATE(backpropagateAll, x, true, groups, WARPS, AHEAD)
#define BACKPROPAGATE_ROOT(WARPS, AHEAD) BACKPROPAGATE(backpropagateRoot, y, false, channels, WARPS, AHEAD)

TREE_KERNELS(tree_scan_gradient_all, BACKPROPAGATE_ALL, const float* __restrict__ x, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
             const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, int ringRows,
             int numVertices, int channels)

TREE_KERNELS(tree_scan_gradient_shared, BACKPROPAGATE_SHARED, const float* __restrict__ x,
             const float* __restrict__ decay, const int* __restrict__ order, const int* __restrict__ parent,
             const float* __restrict__ y, const float* __restrict__ dy, const int* __restrict__ schedules, float* dx,
             float* ddecay, int ringRows, int numVertices, int channels, int groups)

TREE_KERNELS(tree_scan_gradient_root, BACKPROPAGATE_ROOT, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
             const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, int ringRows,
             int numVertices, int channels)

/**
 * Sums over the channels of every group, with `threads` threads each, a power of two: `itemOf` says for an index of [B,
 * V, G] what is summed and where the sum is written.
 */
template <typename ItemOf>
__device__ inline void sumGroups(float* ddecay, long long items, int size, int threads, ItemOf itemOf) {
  const int thread = threadIdx.x % threads;
  const int itemsOfBlock = blockDim.x / threads;
  // All threads of a warp execute every iteration together, for the shuffles.
  for (long long first = (long long)blockIdx.x * itemsOfBlock; first < items;
       first += (long long)gridDim.x * itemsOfBlock) {
    const long long at = first + threadIdx.x / threads;
    float sum = 0.0f;
    size_t to = 0;
    if (at < items) {
      const auto item = itemOf(at);
      to = item.to;
      for (int c = thread; c < size; c += threads) sum += item.termOf(c);
    }
    for (int half = threads / 2; half >= 1; half /= 2) sum += __shfl_down_sync(0xffffffff, sum, half, threads);
    if (thread == 0 && at < items) ddecay[to] = sum;
  }
}

/** The contribution of each channel to the gradient of a shared decay, as tree_scan_gradient_shared leaves them. */
struct Slopes {
  const float* slopes;
  size_t to;
  __device__ float termOf(int c) const { return slopes[c]; }
};

KERNEL(tree_decay_sums, THREADS, const float* __restrict__ slopes, float* __restrict__ ddecay, int items, int size,
       int threads) {
  sumGroups(ddecay, items, size, threads, [&](long long at) { return Slopes{slopes + at * size, (size_t)at}; });
}

/** The values below an edge times those above, which the root lacks. */
struct Products {
  const float* below;
  const float* above;
  size_t to;
  __device__ float termOf(int c) const { return above ? below[c] * above[c] : 0.0f; }
};

/** The gradient of the decays of scans in one direction. */
KERNEL(tree_decay_products, THREADS, const float* __restrict__ below, const float* __restrict__ above,
       const int* __restrict__ order, const int* __restrict__ parent, float* __restrict__ ddecay, int items,
       int numVertices, int groups, int size, int threads) {
  sumGroups(ddecay, items, size, threads, [&](long long at) {
    const long long row = at / groups;
    const int group = (int)(at - row * groups);
    const long long first = row - row % numVertices;
    const size_t v = (first + order[row]) * groups + group;
    const size_t p = (first + order[first + parent[row]]) * groups + group;
    return Products{below + v * size, row == first ? nullptr : above + p * size, v};
  });
}
