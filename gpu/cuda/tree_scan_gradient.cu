/** Gradients of sums along trees: tree_scan.h. The formulas are in plugin/cpu/tree_scan_gradient.ts. */
#include "kernel.h"
#include "tree_scan.h"

/** What tensors begin with at the channel of a thread. Subtree sums of x and dy wait in ddecay and dx. */
struct Gradient {
  const float* x;
  const float* decay;
  const float* y;
  const float* dy;
  float* dx;
  float* ddecay;
};

template <int WARPS, int AHEAD, bool WIDE>
__device__ inline void backpropagateAll(const TreeBlock& block, const Gradient& at) {
  constexpr int X = 0, DY = 1;
  const auto state = [&](int position, int which) -> float& { return block.state(position, 2, which); };
  const Rows<WARPS, AHEAD, 2> subtrees = {block, at.decay, {at.x, at.dy}};
  subtrees.up([&](int position, const Row<2>& row) {
    float sumX = row.value[X], sumDy = row.value[DY];
    for (int child = row.firstChild; child < row.endOfChildren; child++) {
      if (!WIDE) {
        sumX += state(child, X);
        sumDy += state(child, DY);
      } else if (block.inside) {
        const unsigned place = block.placeOf(child);
        sumX += at.decay[place] * at.ddecay[place];
        sumDy += at.decay[place] * at.dx[place];
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
  const Rows<WARPS, AHEAD, 3> vertices = {block, at.decay, {at.ddecay, at.dx, at.y}};
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

template <int WARPS, int AHEAD, bool WIDE>
__device__ inline void backpropagateRoot(const TreeBlock& block, const Gradient& at) {
  const Rows<WARPS, AHEAD, 2> vertices = {block, at.decay, {at.y, at.dy}};
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

#define BACKPROPAGATE(backpropagate, x, WARPS, AHEAD)                                         \
  DYNAMIC_SHARED(float, ring);                                                                \
  const TreeBlock block(order, parent, schedules, numVertices, channels, ring, ringRows);     \
  const Gradient at = {x + block.first,  decay + block.first, y + block.first,                \
                       dy + block.first, dx + block.first,    ddecay + block.first};          \
  if (block.isWide()) {                                                                       \
    backpropagate<WARPS, AHEAD, true>(block, at);                                             \
  } else {                                                                                    \
    backpropagate<WARPS, AHEAD, false>(block, at);                                            \
  }
#define BACKPROPAGATE_ALL(WARPS, AHEAD) BACKPROPAGATE(backpropagateAll, x, WARPS, AHEAD)
#define BACKPROPAGATE_ROOT(WARPS, AHEAD) BACKPROPAGATE(backpropagateRoot, y, WARPS, AHEAD)

TREE_KERNELS(tree_scan_gradient_all, BACKPROPAGATE_ALL, const float* __restrict__ x, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
             const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, int ringRows,
             int numVertices, int channels)

TREE_KERNELS(tree_scan_gradient_root, BACKPROPAGATE_ROOT, const float* __restrict__ decay,
             const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
             const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, int ringRows,
             int numVertices, int channels)
