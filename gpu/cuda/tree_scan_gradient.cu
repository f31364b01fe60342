/** Gradients of sums along trees: tree_scan.h. */
#include "kernel.h"
#include "tree_scan.h"

/** The formulas are in plugin/cpu/tree_scan_gradient.ts. After the down pass the states are y and dx. */
KERNEL(tree_scan_gradient_all, TREE_CHANNELS* TREE_ROWS, const float* __restrict__ x, const float* __restrict__ decay,
       const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
       const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, float* memory,
       int numVertices, int channels) {
  DYNAMIC_SHARED(float, shared);
  const Position at(channels);
  const size_t first = at.image * numVertices * channels + at.channel;
  const size_t stateSize = (size_t)numVertices * TREE_CHANNELS;
  float* const states = memory ? memory + 2 * at.block * stateSize : shared;
  const State stateX = {states}, stateDy = {states + stateSize};
  const Tree<3> tree = {order + at.image * numVertices,
                        parent + at.image * numVertices,
                        Schedule(schedules, at.image, numVertices),
                        numVertices,
                        channels,
                        at.inside,
                        decay + first,
                        {x + first, dy + first, y + first}};
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

KERNEL(tree_scan_gradient_root, TREE_CHANNELS* TREE_ROWS, const float* __restrict__ decay,
       const int* __restrict__ order, const int* __restrict__ parent, const float* __restrict__ y,
       const float* __restrict__ dy, const int* __restrict__ schedules, float* dx, float* ddecay, float* memory,
       int numVertices, int channels) {
  DYNAMIC_SHARED(float, shared);
  const Position at(channels);
  const size_t first = at.image * numVertices * channels + at.channel;
  const State state = {memory ? memory + at.block * numVertices * TREE_CHANNELS : shared};
  const Tree<2> tree = {order + at.image * numVertices,
                        parent + at.image * numVertices,
                        Schedule(schedules, at.image, numVertices),
                        numVertices,
                        channels,
                        at.inside,
                        decay + first,
                        {y + first, dy + first}};
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
