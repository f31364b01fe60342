/** The schedule of trees in breadth-first order: tree_schedule.h. */
#include "kernel.h"
#include "constants.h"

/** One block per image. */
KERNEL(tree_schedule, IMAGE_THREADS, const int* __restrict__ parent, int* schedules, int numVertices) {
  parent += (size_t)blockIdx.x * numVertices;
  int* const levels = schedules + blockIdx.x * (2 * (size_t)numVertices + 4);
  int* const widest = levels + 1;
  int* const starts = levels + 2;
  int* const children = starts + numVertices + 1;
  for (int i = threadIdx.x; i <= numVertices; i += blockDim.x) {
    // The first position, except for the root, whose parent is not before i.
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
  int count = 0, above = 0, most = 0;
  for (int start = 0; start < numVertices;) {
    const int next = children[start];
    most = max(most, next - above);
    above = start;
    starts[count++] = start;
    start = next;
  }
  starts[count] = numVertices;
  *levels = count;
  *widest = most;
}
