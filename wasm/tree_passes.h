// The passes of tree scans and their gradients (GrootVL, algorithm 1); values are [V, D] by vertex id. A pass may
// process a contiguous part of the channels: rows of values and decays are then `stride` apart. A pass is compiled for
// one decay per channel and for two ways of sharing decays; the differences are in the decay types.
#pragma once
#include "rows.h"
#include "tree_edges.h"

constexpr int LINE = 16;  // numbers per cache line
static volatile int32_t used;

// Reads rows into the cache: `width` numbers of each, `stride` apart.
__attribute__((noinline)) static void touch_rows(const float* rows, int stride, int width, int from, int to) {
  const bool is_whole = width == stride;
  const size_t length = is_whole ? size_t(to - from) * width : width;
  const float* row = rows + size_t(from) * stride;
  int32_t bits = 0;
  for (int left = is_whole ? 1 : to - from; left > 0 && length > 0; left--, row += stride) {
    const int32_t* const numbers = reinterpret_cast<const int32_t*>(row);
    for (size_t d = 0; d < length; d += LINE) bits |= numbers[d];
    bits |= numbers[length - 1];
  }
  used = bits;
}

// A tree, and the channels that a pass processes.
struct Tree {
  Edges edges;
  int stride;    // channels of a row
  int channels;  // those that a pass works on

  size_t row(int vertex) const { return size_t(vertex) * stride; }
  bool has_cells() const { return edges.cells() > 1; }

  // Reads rows of values into the cache, unless they stay there anyway.
  template <typename... Values>
  INLINE_MEMBER void touch(int from, int to, const Values*... values) const {
    if (has_cells()) (touch_rows(values, stride, channels, from, to), ...);
  }
};

// Decays [V, D], one per channel: a row is one part.
struct ChannelDecays {
  float* values;  // written for a gradient, else read
  int stride;
  int channels;

  struct Row {
    const float* at;
    INLINE_MEMBER v128_t operator()(Channel d, int n) const { return load_first(at + d, n); }
  };
  int parts() const { return 1; }
  int size() const { return channels; }
  int width() const { return channels; }
  INLINE_MEMBER Row of(int vertex, int) const { return {values + size_t(vertex) * stride}; }
  template <typename Compute>
  INLINE_MEMBER void set(int vertex, int, const Compute& compute) const {
    for_channels(values + size_t(vertex) * stride, channels, compute);
  }
};

// Decays [V, G], each shared by D/G adjacent channels, for any D/G: a row has G parts. GROUPS is G if that is known at
// compile time, else 0: with one group, a loop over parts would take a tenth of the time of a row.
template <int GROUPS>
struct GroupDecays {
  float* values;
  int stride;
  int groups;
  int channels;  // of a group

  struct Part {
    v128_t decay;  // in all lanes
    INLINE_MEMBER v128_t operator()(Channel, int) const { return decay; }
  };
  int parts() const { return GROUPS ? GROUPS : groups; }
  int size() const { return channels; }
  int width() const { return parts(); }
  INLINE_MEMBER Part of(int vertex, int part) const { return {splat(values[size_t(vertex) * stride + part])}; }
  // The sum over the channels; compute must return zero in lanes beyond them.
  template <typename Compute>
  INLINE_MEMBER void set(int vertex, int part, const Compute& compute) const {
    values[size_t(vertex) * stride + part] = sum_channels(channels, compute);
  }
};

// The same if D/G is a power of two from 4 on, so that a register holds one decay: a row is one part, whatever G is.
struct BlockDecays {
  float* values;
  int stride;
  int groups;
  int channels;
  int shift;  // log2(D/G)

  struct Row {
    const float* at;
    int shift;
    INLINE_MEMBER v128_t operator()(Channel d, int) const { return wasm_v128_load32_splat(at + (d >> shift)); }
  };
  int parts() const { return 1; }
  int size() const { return channels; }
  int width() const { return groups; }
  INLINE_MEMBER Row of(int vertex, int) const { return {values + size_t(vertex) * stride, shift}; }
  template <typename Compute>
  INLINE_MEMBER void set(int vertex, int, const Compute& compute) const {
    for (int group = 0; group < groups; group++) {
      const int first = group << shift;
      values[size_t(vertex) * stride + group] = sum_channels(1 << shift, [&](Channel d, int n) {
        return compute(Channel{first + d.first, d.offset}, n);
      });
    }
  }
};

// Channels per group up to which splitting a row costs more than it saves.
constexpr int SMALL_GROUP = 64;

// Calls run(first channel, number of channels, part) for each part of a row.
template <typename Decays, typename Run>
INLINE void for_parts(const Decays& decays, const Run& run) {
  for (int part = 0; part < decays.parts(); part++) run(part * decays.size(), decays.size(), part);
}

// Decays of `groups` groups, in rows `stride` apart, for `channels` channels.
struct DecayRows {
  const float* values;
  int stride;
  int groups;
};

// Calls run with the decays in their fastest representation.
template <typename Run>
INLINE void with_decays(const DecayRows& rows, int channels, const Run& run) {
  float* const values = const_cast<float*>(rows.values);
  const int groups = rows.groups, stride = rows.stride;
  if (groups == channels) {
    run(ChannelDecays{values, stride, channels});
    return;
  }
  const int size = groups == 0 ? 0 : channels / groups;
  if (size >= LANES && size <= SMALL_GROUP && (size & (size - 1)) == 0) {
    run(BlockDecays{values, stride, groups, channels, __builtin_ctz(size)});
  } else if (groups == 1) {
    run(GroupDecays<1>{values, stride, 1, size});
  } else {
    run(GroupDecays<0>{values, stride, groups, size});
  }
}

// y = base + decay * other.
template <typename Decay>
INLINE void add_scaled(float* y, const float* base, const Decay& decay, const float* other, int channels) {
  for_channels(y, channels, [&](Channel d, int n) {
    return add(load_first(base + d, n), mul(decay(d, n), load_first(other + d, n)));
  });
}

// `a` if the bit is 1, else `b`, without a branch: with a bool the compiler would generate one.
INLINE const float* either(int bit, const float* a, const float* b) {
  const uintptr_t from = reinterpret_cast<uintptr_t>(a), to = reinterpret_cast<uintptr_t>(b);
  return reinterpret_cast<const float*>(to + ((from - to) & -bit));
}

// Reads decays of vertices into the cache, unless they stay there anyway.
template <typename Decays>
INLINE void touch_decays(const Decays& decays, const Tree& tree, int from, int to) {
  if (tree.has_cells()) touch_rows(decays.values, decays.stride, decays.width(), from, to);
}

// Leaves to root: y[v] = x[v] + sum over children c of decay[c] * y[c]. Rows of y are initialised with those of x or,
// with LEAVES_STAY, written with the first child: rows of leaves then remain in x only.
template <bool LEAVES_STAY, typename Decays>
INLINE void add_upwards(float* y, const float* x, const Decays& decays, const Tree& tree) {
  tree.edges.up(
      [&](int from, int to) {
        if (LEAVES_STAY) return;
        for (int v = from; v < to; v++) copy_row(y + tree.row(v), x + tree.row(v), tree.channels);
        touch_decays(decays, tree, from, to);
      },
      [&](const Edge& edge) {
        const size_t c = tree.row(edge.child()), p = tree.row(edge.parent());
        const float* const base = LEAVES_STAY ? either(edge.is_first(), x, y) + p : y + p;
        const float* const below = LEAVES_STAY ? either(edge.is_leaf(), x, y) + c : y + c;
        for_parts(decays, [&](int first, int count, int part) {
          add_scaled(y + p + first, base + first, decays.of(edge.child(), part), below + first, count);
        });
      });
}

template <typename Decays>
static void scan_up(float* y, const float* x, const Decays& decays, const Tree& tree) {
  if (tree.has_cells() || tree.edges.vertices == 1) {
    add_upwards<false>(y, x, decays, tree);
    return;
  }
  add_upwards<true>(y, x, decays, tree);
  for (int i = 0; i + 1 < tree.edges.vertices; i++) {
    const size_t c = tree.row(tree.edges.edges[i].child());
    if (tree.edges.edges[i].is_leaf()) copy_row(y + c, x + c, tree.channels);
  }
}

// Both passes. Going down, v receives through its parent p the total of p minus the part that came from v itself: y[v]
// += decay[v] * (y[p] - decay[v] * y[v]). The form (1 - decay[v]^2) * y[v] + decay[v] * y[p] needs one operation less,
// but if decays are close to 1, rounding errors of the second product accumulate along a path. Rows of leaves are
// copied only where that brings rows of y into the cache.
template <bool LEAVES_STAY, typename Decays>
static void scan_both_ways(float* y, const float* x, const Decays& decays, const Tree& tree) {
  add_upwards<LEAVES_STAY>(y, x, decays, tree);
  tree.edges.down(
      [&](int from, int to) {
        tree.touch(from, to, y);
        touch_decays(decays, tree, from, to);
      },
      [&](const Edge& edge) {
        const size_t c = tree.row(edge.child());
        const float* const sums = LEAVES_STAY ? either(edge.is_leaf(), x, y) + c : y + c;
        const float* const above = y + tree.row(edge.parent());
        for_parts(decays, [&](int first, int count, int part) {
          const auto decay = decays.of(edge.child(), part);
          for_channels(y + c + first, count, [&](Channel d, int n) {
            const v128_t w = decay(d, n), own = load_first(sums + first + d, n);
            return add(own, mul(w, sub(load_first(above + first + d, n), mul(w, own))));
          });
        });
      });
}

template <typename Decays>
INLINE void scan_all(float* y, const float* x, const Decays& decays, const Tree& tree) {
  if (tree.has_cells() || tree.edges.vertices == 1) {
    scan_both_ways<false>(y, x, decays, tree);
  } else {
    scan_both_ways<true>(y, x, decays, tree);
  }
}

// Root to leaves: y[v] = x[v] + decay[v] * y[p], the transpose of scan_up. Calls visit(edge) before each.
template <typename Decays, typename Visit>
INLINE void spread_down(float* y, const float* x, const Decays& decays, const Tree& tree, const Visit& visit) {
  const size_t root = tree.row(tree.edges.root());
  copy_row(y + root, x + root, tree.channels);
  tree.edges.down(
      [&](int from, int to) {
        tree.touch(from, to, x, y);
        touch_decays(decays, tree, from, to);
      },
      [&](const Edge& edge) {
        visit(edge);
        const size_t c = tree.row(edge.child()), p = tree.row(edge.parent());
        for_parts(decays, [&](int first, int count, int part) {
          add_scaled(y + c + first, x + c + first, decays.of(edge.child(), part), y + p + first, count);
        });
      });
}
