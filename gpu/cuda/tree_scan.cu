/** Sums along trees: tree_scan.h. */
#include "kernel.h"
#include "tree_scan.h"

KERNEL(tree_scan, TREE_CHANNELS* TREE_ROWS, const float* __restrict__ x, const float* __restrict__ decay,
       const int* __restrict__ order, const int* __restrict__ parent, const int* __restrict__ schedules, float* y,
       float* memory, int numVertices, int channels, int wholeTree) {
  DYNAMIC_SHARED(float, shared);
  const Position at(channels);
  const size_t first = at.image * numVertices * channels + at.channel;
  const State state = {memory ? memory + at.block * numVertices * TREE_CHANNELS : shared};
  const Tree<1> tree = {order + at.image * numVertices,
                        parent + at.image * numVertices,
                        Schedule(schedules, at.image, numVertices),
                        numVertices,
                        channels,
                        at.inside,
                        decay + first,
                        {x + first}};
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
