// The recurrence along a text and the subtree sums of a tree of its tokens.
#include "selective_scan.h"

// Every token except the last, which is the root, with children before their parents.
struct Edge {
  int32_t child;   // token
  int32_t parent;  // token
};
static_assert(sizeof(Edge) == EDGE_BYTES, "as TypeScript allocates");

// Vertices are tokens in reversed time.
static void leaves_first(Edge* edges, const int32_t* order, const int32_t* parent, int length) {
  for (int i = length - 1; i > 0; i--) *edges++ = {length - 1 - order[i], length - 1 - order[parent[i]]};
}

// Subtree sums, and their part of the output. The decay of an edge is that of the token right after the child,
// whichever token the parent is.
template <int STATES>
INLINE void sum_subtrees(const Block& block, const Edge* edges, const float* output_gate, float tree_weight,
                         int length) {
  for (int i = 0; i + 1 < length; i++) {
    const int child = edges[i].child * STATES, parent = edges[i].parent * STATES;
    v128_t y = block.y[edges[i].child];
#pragma unroll
    for (int k = 0; k < STATES; k++) {
      const v128_t sum = block.sums[child + k];
      block.sums[parent + k] = add(block.sums[parent + k], mul(block.decay[child + STATES + k], sum));
      y = add(y, mul(sum, splat(tree_weight * output_gate[child + k])));
    }
    block.y[edges[i].child] = y;
  }
}

template <int STATES>
INLINE void scan_states(const Block& block, const Edge* edges, const v128_t* rate, v128_t* h, float tree_weight, int n,
                        int length) {
  recur<STATES, true>(block, rate, h, n, length);
  const float* const output_gate = block.output_gate + n * length;
  sum_subtrees<STATES>(block, edges, output_gate, tree_weight, length);
  const int root = length - 1;
  for (int k = 0; k < STATES; k++) {
    const v128_t sum = block.sums[root * STATES + k];
    block.y[root] = add(block.y[root], mul(sum, splat(tree_weight * output_gate[root * STATES + k])));
    h[k] = add(h[k], mul(splat(tree_weight), sum));
  }
}

EXPORT void selective_tree_scan(const float* step,         // [B, L, D]
                                const float* delta_u,      // [B, L, D]
                                const float* log_a,        // [D, N]
                                const float* input_gate,   // [B, L, N]
                                const float* output_gate,  // [B, L, N]
                                const int32_t* order,      // [B, L] vertex ids, parents before their children
                                const int32_t* parent,     // [B, L] positions in `order`
                                float* y,                  // [B, L, D], the first result
                                float* next_state,         // [B, D, N], the second result
                                float* scratch,            // [7 * L, 4], two gates [L, N] and L edges
                                int batch,                 // B
                                int length,                // L
                                int channels,              // D
                                int states,                // N
                                float tree_weight          // of the sums over subtrees
) {
  const Sizes sizes = {length, channels, states};
  const Block block = block_in(scratch, sizes);
  Edge* const edges = reinterpret_cast<Edge*>(block.output_gate + length * states);
  for (int b = 0; b < batch; b++) {
    leaves_first(edges, order, parent, length);
    pair_states(input_gate, block.input_gate, 1.0f, sizes);
    pair_states(output_gate, block.output_gate, 1.0f, sizes);
    for (int d = 0; d < channels; d += LANES) {
      const int count = channels - d < LANES ? channels - d : LANES;
      load_block(block, step, delta_u, sizes, d, count);
      for (int n = 0; n < states; n += 2) {
        const int used = states - n < 2 ? 1 : 2;
        v128_t rate[2], h[2];
        for (int k = 0; k < used; k++) {
          rate[k] = rate_of(load_lanes(log_a + size_t(d) * states + n + k, states, count));
          h[k] = zero();
        }
        if (used == 2) {
          scan_states<2>(block, edges, rate, h, tree_weight, n, length);
        } else {
          scan_states<1>(block, edges, rate, h, tree_weight, n, length);
        }
        for (int k = 0; k < used; k++) store_lanes(next_state + size_t(d) * states + n + k, states, count, h[k]);
      }
      store_block(block, y, sizes, d, count);
    }
    step += size_t(length) * channels;
    delta_u += size_t(length) * channels;
    y += size_t(length) * channels;
    input_gate += size_t(length) * states;
    output_gate += size_t(length) * states;
    next_state += size_t(channels) * states;
    order += length;
    parent += length;
  }
}
