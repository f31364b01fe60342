/** The recurrence of selective_scan.h along a text, and subtree sums of a tree of its tokens. */
#include "kernel.h"
#include "selective_scan.h"

/** An edge of a tree: the tokens of a child and its parent, and the step of the token right after the child. */
struct Edge {
  int child;
  int parent;
  float step;
};

/**
 * Subtree sums of the tokens' deltaU times their gates: `own[t * blockDim.x]` for the thread's states. Vertices are
 * tokens in reversed time.
 */
static __device__ inline void sumSubtrees(float4* own, const Scan& scan, const Gates& rate, const int* vertices,
                                          const int* parents) {
  readAhead<Token>(
      scan.sizes.length, [&](int t) { return scan.read(t, nullptr, true); },
      [&](int t, const Token& token) {
        const float* const in = token.in.state;
        own[(size_t)t * blockDim.x] =
            make_float4(token.deltaU * in[0], token.deltaU * in[1], token.deltaU * in[2], token.deltaU * in[3]);
      });
  const int last = scan.sizes.length - 1;
  const auto edgeAt = [&](int n) {
    if (n >= last) return Edge{};
    const int child = last - vertices[last - n], parent = last - vertices[parents[last - n]];
    return Edge{child, parent, scan.step[(size_t)(child + 1) * scan.sizes.channels + scan.channel]};
  };
  readAhead<Edge>(last, edgeAt, [&](int, const Edge& edge) {
    const float4 from = own[(size_t)edge.child * blockDim.x];
    float4 sum = own[(size_t)edge.parent * blockDim.x];
    sum.x += expf(rate.state[0] * edge.step) * from.x;
    sum.y += expf(rate.state[1] * edge.step) * from.y;
    sum.z += expf(rate.state[2] * edge.step) * from.z;
    sum.w += expf(rate.state[3] * edge.step) * from.w;
    own[(size_t)edge.parent * blockDim.x] = sum;
  });
}

/**
 * Subtree sums are computed in the order of the tree, by each thread separately for its four states: `sums`,
 * [gridDim.x, L, blockDim.x] of four, is memory for the blocks in the grid, which iterate over images and tiles.
 */
KERNEL(selective_tree_scan, WARP, const float* __restrict__ step, const float* __restrict__ deltaU,
       const float* __restrict__ logA, const float* __restrict__ inputGate, const float* __restrict__ outputGate,
       const int* __restrict__ order, const int* __restrict__ parent, float* y, float* __restrict__ nextState,
       float4* sums, Sizes sizes, int tiles, float treeWeight) {
  const int length = sizes.length;
  float4* const own = sums + (size_t)blockIdx.x * length * blockDim.x + threadIdx.x;
  for (int work = blockIdx.x; work < sizes.batch * tiles; work += gridDim.x) {
    const size_t image = work / tiles;
    const int* const vertices = order + image * length;
    const int* const parents = parent + image * length;
    Scan scan = scanOf(step, deltaU, inputGate, outputGate, y, sizes, image, work % tiles);
    const size_t ofState = (image * sizes.channels + scan.channel) * sizes.states;
    int pass = 0;
    do {
      Gates rate = {}, h = {};
      if (scan.inside) {
        rate = rates(logA + (size_t)scan.channel * sizes.states, scan.first, sizes.states);
        sumSubtrees(own, scan, rate, vertices, parents);
      }
      scan.recur(h, rate, 1.0f, own, treeWeight, pass == 0);
      if (scan.inside) {
        const float4 last = own[(size_t)(length - 1) * blockDim.x];
        h.state[0] += treeWeight * last.x;
        h.state[1] += treeWeight * last.y;
        h.state[2] += treeWeight * last.z;
        h.state[3] += treeWeight * last.w;
        store(nextState + ofState, scan.first, sizes.states, h);
      }
      pass += PASS;
      scan.first += PASS;
    } while (pass < sizes.states);
  }
}
