// SelectiveTreeScan: the recurrence along a text and the sums over subtrees of a tree of its tokens.
#include "selective_scan.h"

// Every token but the last, the root, children before their parents.
struct Edge {
  int32_t child;   // token
  int32_t parent;  // token
};

// Vertices are tokens in reversed time.
static void leaves_first(Edge* edges, const int32_t* order, const int32_t* parent, int length) {
  for (int i = length - 1; i > 0; i--) *edges++ = {length - 1 - order[i], length - 1 - order[parent[i]]};
}

// Whatever the parent is, the edge carries the decay of the token right after the child.
template <int STATES>
INLINE void sum_subtrees(const Block& block, const Edge* edges, int length) {
  for (int i = 0; i + 1 < length; i++) {
    const int child = edges[i].child * STATES, parent = edges[i].parent * STATES;
#pragma unroll
    for (int k = 0; k < STATES; k++) {
      const v128_t carried = mul(block.decay[child + STATES + k], block.sums[child + k]);
      block.sums[parent + k] = add(block.sums[parent + k], carried);
    }
  }
}

template <int STATES>
INLINE void scan_states(const Block& block, const Edge* edges, const v128_t* rate, v128_t* h, const float* input_gate,
                        const float* output_gate, float tree_weight, const Sizes& sizes) {
  recur<STATES, true>(block, rate, h, input_gate, output_gate, 1.0f, sizes);
  sum_subtrees<STATES>(block, edges, sizes.length);
  for (int t = 0; t < sizes.length; t++, output_gate += sizes.states) {
#pragma unroll
    for (int k = 0; k < STATES; k++) {
      const v128_t weight = splat(tree_weight * output_gate[k]);
      block.y[t] = add(block.y[t], mul(block.sums[t * STATES + k], weight));
    }
  }
  for (int k = 0; k < STATES; k++) {
    h[k] = add(h[k], mul(splat(tree_weight), block.sums[(sizes.length - 1) * STATES + k]));
  }
}

EXPORT void selective_tree_scan(
    const float* step,         // [B, L, D]
    const float* drive,        // [B, L, D]
    const float* log_a,        // [D, N]
    const float* input_gate,   // [B, L, N]
    const float* output_gate,  // [B, L, N]
    const int32_t* order,      // [B, L] vertex ids, parents before their children
    const int32_t* parent,     // [B, L] positions in `order`
    float* y,                  // [B, L, D], the first result
    float* next_state,         // [B, D, N], the second result
    float* scratch,            // [7 * L, 4] and L edges
    int batch,                 // B
    int length,                // L
    int channels,              // D
    int states,                // N
    float tree_weight          // of the sums over subtrees
) {
  const Sizes sizes = {length, channels, states};
  const Block block = block_in(scratch, length);
  Edge* const edges = reinterpret_cast<Edge*>(block.sums + 2 * length);
  for (int b = 0; b < batch; b++) {
    leaves_first(edges, order, parent, length);
    for (int d = 0; d < channels; d += LANES) {
      const int count = channels - d < LANES ? channels - d : LANES;
      load_block(block, step, drive, sizes, d, count);
      for (int n = 0; n < states; n += 2) {
        const int used = states - n < 2 ? 1 : 2;
        v128_t rate[2], h[2];
        for (int k = 0; k < used; k++) {
          rate[k] = wasm_f32x4_neg(exponential(load_lanes(log_a + size_t(d) * states + n + k, states, count)));
          h[k] = zero();
        }
        if (used == 2) {
          scan_states<2>(block, edges, rate, h, input_gate + n, output_gate + n, tree_weight, sizes);
        } else {
          scan_states<1>(block, edges, rate, h, input_gate + n, output_gate + n, tree_weight, sizes);
        }
        for (int k = 0; k < used; k++) store_lanes(next_state + size_t(d) * states + n + k, states, count, h[k]);
      }
      store_block(block, y, sizes, d, count);
    }
    step += size_t(length) * channels;
    drive += size_t(length) * channels;
    y += size_t(length) * channels;
    input_gate += size_t(length) * states;
    output_gate += size_t(length) * states;
    next_state += size_t(channels) * states;
    order += length;
    parent += length;
  }
}
