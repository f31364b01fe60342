// The passes that tree scans and their gradients are made of (GrootVL, algorithm 1); values are [V, D] by vertex id.
// What a pass works on may be some of the channels, side by side: rows of values and decays are then `stride` apart.
// A pass is compiled for a decay a channel and for two ways of sharing one; where they differ it asks the decays.
#pragma once
#include "rows.h"

struct Tree {
  const int32_t* order;   // vertex ids in breadth-first order
  const int32_t* parent;  // positions in `order`
  int vertices;
  int stride;    // channels of a row
  int channels;  // those that a pass works on

  size_t row(int position) const { return size_t(order[position]) * stride; }
};

// Decays [V, D], one a channel: a row is one part.
struct ChannelDecays {
  float* values;  // of a gradient written, else read
  int stride;
  int channels;

  struct Row {
    const float* at;
    INLINE_MEMBER v128_t operator()(Channel d, int n) const { return load_first(at + d, n); }
  };
  int parts() const { return 1; }
  int size() const { return channels; }
  INLINE_MEMBER Row of(int vertex, int) const { return {values + size_t(vertex) * stride}; }
  template <typename Compute>
  INLINE_MEMBER void set(int vertex, int, const Compute& compute) const {
    for_channels(values + size_t(vertex) * stride, channels, compute);
  }
};

// Decays [V, G], one for D/G channels side by side, any number of them: a row has G parts. GROUPS is G where that is
// known when this is compiled, else 0: with one group, a loop over parts would take a tenth of the time of a row.
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
  INLINE_MEMBER Part of(int vertex, int part) const { return {splat(values[size_t(vertex) * stride + part])}; }
  // The sum over the channels: lanes beyond them must come out as zero.
  template <typename Compute>
  INLINE_MEMBER void set(int vertex, int part, const Compute& compute) const {
    values[size_t(vertex) * stride + part] = sum_channels(channels, compute);
  }
};

// The same for a power of two of channels from 4 on, all lanes of a register: a row is one part, however many groups.
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
  INLINE_MEMBER Row of(int vertex, int) const { return {values + size_t(vertex) * stride, shift}; }
  template <typename Compute>
  INLINE_MEMBER void set(int vertex, int, const Compute& compute) const {
    for (int group = 0; group < groups; group++) {
      const int first = group << shift;
      values[size_t(vertex) * stride + group] = sum_channels(
          1 << shift, [&](Channel d, int n) { return compute(Channel{first + d.first, d.offset}, n); });
    }
  }
};

// Channels of a group up to which a part of a row costs more than it saves.
constexpr int SMALL_GROUP = 64;

// Calls run(first channel, number of channels, part) for each part of a row.
template <typename Decays, typename Run>
INLINE void for_parts(const Decays& decays, const Run& run) {
  for (int part = 0; part < decays.parts(); part++) run(part * decays.size(), decays.size(), part);
}

// Decays of `groups` groups, `stride` of which are a row, for `channels` channels.
struct DecayRows {
  const float* values;
  int stride;
  int groups;
};

// Calls run with the decays as it is fastest to take them.
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

// y = base + decay[c] * up[c], the sum over one child or two.
template <typename Decay>
INLINE void gather_one(float* y, const float* base, const Decay& decay, const float* up, int channels) {
  for_channels(y, channels,
               [&](Channel d, int n) { return add(load_first(base + d, n), mul(decay(d, n), load_first(up + d, n))); });
}

template <typename Decay>
INLINE void gather_two(float* y, const float* base, const Decay& decay_a, const float* up_a, const Decay& decay_b,
                       const float* up_b, int channels) {
  for_channels(y, channels, [&](Channel d, int n) {
    const v128_t with_a = add(load_first(base + d, n), mul(decay_a(d, n), load_first(up_a + d, n)));
    return add(with_a, mul(decay_b(d, n), load_first(up_b + d, n)));
  });
}

INLINE void copy_row(float* y, const float* x, int channels) {
  for_channels(y, channels, [&](Channel d, int n) { return load_first(x + d, n); });
}

// Leaves to root: y[v] = x[v] + sum over children c of decay[c] * y[c]. Each row is written once, from its children,
// which stand side by side. With `is_leaf`, [V] by position, which it writes, rows of leaves stay in x alone.
template <typename Decays>
static void scan_up(float* y, const float* x, const Decays& decays, const Tree& tree, uint8_t* is_leaf = nullptr) {
  const int channels = tree.channels;
  const auto sums_of = [&](int position) { return (is_leaf && is_leaf[position] ? x : y) + tree.row(position); };
  int end = tree.vertices;  // children of later positions start here
  for (int i = tree.vertices - 1; i >= 0; i--) {
    int child = end;
    while (child > 1 && tree.parent[child - 1] == i) child--;
    const size_t v = tree.row(i);
    int remaining = end - child;
    end = child;
    if (is_leaf) is_leaf[i] = remaining == 0;
    if (remaining == 0) {
      if (!is_leaf) copy_row(y + v, x + v, channels);
      continue;
    }
    const float* base = x + v;
    for (; remaining >= 2; remaining -= 2, child += 2) {
      const int a = tree.order[child], b = tree.order[child + 1];
      const float* const up_a = sums_of(child);
      const float* const up_b = sums_of(child + 1);
      for_parts(decays, [&](int first, int count, int part) {
        gather_two(y + v + first, base + first, decays.of(a, part), up_a + first, decays.of(b, part), up_b + first,
                   count);
      });
      base = y + v;
    }
    if (remaining == 1) {
      const float* const up = sums_of(child);
      for_parts(decays, [&](int first, int count, int part) {
        gather_one(y + v + first, base + first, decays.of(tree.order[child], part), up + first, count);
      });
    }
  }
}

// Root to leaves, after scan_up with `is_leaf`: what reaches v through its parent p is all that p has, less what p has
// from v itself. y[v] += decay[v] * (y[p] - decay[v] * y[v]).
template <typename Decays>
static void scan_down(float* y, const float* x, const Decays& decays, const Tree& tree, const uint8_t* is_leaf) {
  if (is_leaf[0]) copy_row(y + tree.row(0), x + tree.row(0), tree.channels);
  for (int i = 1; i < tree.vertices; i++) {
    const size_t v = tree.row(i);
    const float* const sums = (is_leaf[i] ? x : y) + v;
    const float* const up = y + tree.row(tree.parent[i]);
    for_parts(decays, [&](int first, int count, int part) {
      const auto decay = decays.of(tree.order[i], part);
      for_channels(y + v + first, count, [&](Channel d, int n) {
        const v128_t w = decay(d, n), own = load_first(sums + first + d, n);
        return add(own, mul(w, sub(load_first(up + first + d, n), mul(w, own))));
      });
    });
  }
}

// Root to leaves: y[v] = x[v] + decay[v] * y[p], the transpose of scan_up. Calls visit(i) before each position i.
template <typename Decays, typename Visit>
INLINE void spread_down(float* y, const float* x, const Decays& decays, const Tree& tree, const Visit& visit) {
  copy_row(y + tree.row(0), x + tree.row(0), tree.channels);
  for (int i = 1; i < tree.vertices; i++) {
    visit(i);
    const size_t v = tree.row(i);
    const float* const up = y + tree.row(tree.parent[i]);
    for_parts(decays, [&](int first, int count, int part) {
      gather_one(y + v + first, x + v + first, decays.of(tree.order[i], part), up + first, count);
    });
  }
}
