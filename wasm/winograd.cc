// 3 x 3 convolutions by Winograd's method, for two outputs per axis at a time. A tile of the image is transformed to
// sums and differences of its values, as is the filter; products of these replace the sums over the filter: for 4
// outputs, 16 products instead of 36 at stride 1, and 25 at stride 2. Each of them is a matrix product, tiles x
// channels by channels x outputs. Chosen in winograd.ts.
#include "activate.h"
#include "panels.h"
#include "window.h"

// Along one axis, value `first` of a tile plus `sign` times value `second`. It is a term of the sums of `group`.
struct Point {
  int first, second, sign, group, slot;
};

// The method along one axis.
template <int STRIDE>
struct Scheme;

// F(2, 3).
template <>
struct Scheme<1> {
  static constexpr int SIDE = 4, POINTS = 4, GROUPS = 4;
  static constexpr Point point(int i) {
    constexpr Point points[POINTS] = {{0, 2, -1, 0, 0}, {1, 2, 1, 1, 0}, {2, 1, -1, 2, 0}, {1, 3, -1, 3, 0}};
    return points[i];
  }
  static constexpr int terms(int) { return 1; }
  INLINE_MEMBER static void filter(v128_t a, v128_t b, v128_t c, v128_t* to) {
    const v128_t half = splat(0.5f), ends = add(a, c);
    to[0] = a;
    to[1] = mul(half, add(ends, b));
    to[2] = mul(half, sub(ends, b));
    to[3] = c;
  }
  INLINE_MEMBER static void outputs(const v128_t* sums, v128_t* to) {
    to[0] = add(add(sums[0], sums[1]), sums[2]);
    to[1] = sub(sub(sums[1], sums[2]), sums[3]);
  }
};

// Of values 0 to 4, the even ones meet the filter's first and last value at stride 1, F(2, 2), and the odd ones the
// middle one. Products that contribute only to the same output are terms of one sum.
template <>
struct Scheme<2> {
  static constexpr int SIDE = 5, POINTS = 5, GROUPS = 3;
  static constexpr Point point(int i) {
    constexpr Point points[POINTS] = {
        {0, 2, -1, 0, 0}, {1, 1, 0, 0, 1}, {2, 2, 0, 1, 0}, {4, 2, -1, 2, 0}, {3, 3, 0, 2, 1}};
    return points[i];
  }
  static constexpr int terms(int group) { return group == 1 ? 1 : 2; }
  INLINE_MEMBER static void filter(v128_t a, v128_t b, v128_t c, v128_t* to) {
    to[0] = a;
    to[1] = b;
    to[2] = add(a, c);
    to[3] = c;
    to[4] = b;
  }
  INLINE_MEMBER static void outputs(const v128_t* sums, v128_t* to) {
    to[0] = add(sums[0], sums[1]);
    to[1] = add(sums[1], sums[2]);
  }
};

// Panels whose sums stay in the second-level cache beside the tiles from which they are computed.
constexpr int SUM_PANELS = 16;

// Values between matrices, so that the same rows of all matrices do not map to the same few cache sets.
constexpr int APART = 16;

// Terms of a channel in all sums before those of a pair of groups.
template <int STRIDE>
constexpr int terms_before(int row, int column) {
  using S = Scheme<STRIDE>;
  int sum = 0;
  for (int a = 0; a < S::GROUPS; a++) {
    for (int b = 0; b < S::GROUPS; b++) {
      if (a < row || (a == row && b < column)) sum += S::terms(a) * S::terms(b);
    }
  }
  return sum;
}

INLINE v128_t combined(const Point& point, v128_t first, v128_t second) {
  return point.sign == 0 ? first : point.sign > 0 ? add(first, second) : sub(first, second);
}

// A block of tiles: its inputs and their positions.
template <int STRIDE>
struct Tiles {
  using S = Scheme<STRIDE>;
  static constexpr int PAIRS = S::GROUPS * S::GROUPS, TERMS = S::POINTS * S::POINTS;
  const Window& w;
  const int most;
  float *values, *sums, *patch, *nowhere;

  INLINE_MEMBER Tiles(const Window& w, int most, float* scratch) : w(w), most(most) {
    values = scratch;
    sums = values + size_t(most) * TERMS * w.channels + PAIRS * APART;
    patch = sums + PAIRS * (most * SUM_PANELS * PANEL + APART);
    nowhere = patch + S::SIDE * S::SIDE * w.channels;
  }
  INLINE_MEMBER float* end() const { return nowhere + SUM_PANELS * PANEL; }

  // The matrix of a pair of groups: [tiles, terms of both, channels].
  INLINE_MEMBER float* values_of(int a, int b) const {
    return values + size_t(most) * terms_before<STRIDE>(a, b) * w.channels + (a * S::GROUPS + b) * APART;
  }
  INLINE_MEMBER float* sums_of(int a, int b) const {
    return sums + (a * S::GROUPS + b) * (most * SUM_PANELS * PANEL + APART);
  }

  // Transforms tile `t` of a block, from the image or a patch of it, whose rows are `stride` apart.
  INLINE_MEMBER void transform(int t, const float* x, size_t stride) const {
    const int channels = w.channels;
#pragma clang loop unroll(disable)
    for (int d = 0; d < channels; d += LANES) {
#pragma unroll
      for (int j = 0; j < S::POINTS; j++) {
        const Point across = S::point(j);
        v128_t column[S::SIDE];
#pragma unroll
        for (int i = 0; i < S::SIDE; i++) {
          const float* const row = x + i * stride + d;
          column[i] = combined(across, load(row + across.first * channels), load(row + across.second * channels));
        }
#pragma unroll
        for (int i = 0; i < S::POINTS; i++) {
          const Point down = S::point(i);
          const int terms = S::terms(down.group) * S::terms(across.group);
          const int slot = down.slot * S::terms(across.group) + across.slot;
          float* const to = values_of(down.group, across.group) + (t * terms + slot) * channels + d;
          store(to, combined(down, column[down.first], column[down.second]));
        }
      }
    }
  }

  // Computes columns of the outputs of tile `t` from sums.
  INLINE_MEMBER void outputs(int t, int columns, const float* bias, float* const* to) const {
#pragma clang loop unroll(disable)
    for (int d = 0; d < columns; d += LANES) {
      v128_t rows[2][S::GROUPS];
#pragma unroll
      for (int a = 0; a < S::GROUPS; a++) {
        v128_t found[S::GROUPS], row[2];
#pragma unroll
        for (int b = 0; b < S::GROUPS; b++) found[b] = load(sums_of(a, b) + t * columns + d);
        S::outputs(found, row);
        rows[0][a] = row[0];
        rows[1][a] = row[1];
      }
      const v128_t offset = bias ? load(bias + d) : zero();
#pragma unroll
      for (int j = 0; j < 2; j++) {
        v128_t column[2];
        S::outputs(rows[j], column);
        store(to[j] + d, add(column[0], offset));
        store(to[2 + j] + d, add(column[1], offset));
      }
    }
  }
};

template <int STRIDE>
INLINE void convolve(const float* x, const float* packed, const float* bias, float* y, float* scratch, const Window& w,
                     int block, int first_output, int outputs, int first, int count, Activation activation) {
  using S = Scheme<STRIDE>;
  const Tiles<STRIDE> tiles(w, block, scratch);
  const int across = (w.out_width + 1) / 2, down = (w.out_height + 1) / 2;
  // Tiles are the positions of a convolution with a filter of their size.
  Window window = w;
  window.filter_height = window.filter_width = S::SIDE;
  window.stride_height = window.stride_width = 2 * STRIDE;
  window.out_height = down;
  window.out_width = across;
  const int panels = panels_of(outputs);
  for (const int end = first + count; first < end; first += block) {
    const int rows = end - first < block ? end - first : block;
    for (int t = 0; t < rows; t++) {
      const int tile = first + t;
      const int left = column_of(window, tile % across, 0), top = row_of(window, tile / across % down, 0);
      if (left >= 0 && left + S::SIDE <= w.width && top >= 0 && top + S::SIDE <= w.height) {
        const size_t pixel = (size_t(tile / across / down) * w.height + top) * w.width + left;
        tiles.transform(t, x + pixel * w.channels, size_t(w.width) * w.channels);
      } else {
        copy_patches(x, tiles.patch, window, tile, 1);
        tiles.transform(t, tiles.patch, S::SIDE * w.channels);
      }
    }
    for (int panel = 0; panel < panels; panel += SUM_PANELS) {
      const int column = panel * PANEL;
      const int some = panels - panel < SUM_PANELS ? panels - panel : SUM_PANELS;
      const int columns = outputs - column < some * PANEL ? outputs - column : some * PANEL;
      for (int a = 0; a < S::GROUPS; a++) {
        for (int b = 0; b < S::GROUPS; b++) {
          const int terms = S::terms(a) * S::terms(b) * w.channels;
          const size_t before = size_t(terms_before<STRIDE>(a, b)) * w.channels * panels + size_t(panel) * terms;
          multiply_block(tiles.values_of(a, b), packed + before * PANEL, nullptr, tiles.sums_of(a, b), rows, terms,
                         columns, 0, some, [](float*, int, int) {});
        }
      }
      const int output = first_output + column;
      for (int t = 0; t < rows; t++) {
        const int tile = first + t, out_x = 2 * (tile % across), out_y = 2 * (tile / across % down);
        const int wide = w.out_width - out_x < 2 ? 1 : 2, high = w.out_height - out_y < 2 ? 1 : 2;
        float* const corner =
            y + ((size_t(tile / across / down) * w.out_height + out_y) * w.out_width + out_x) * w.out_channels + output;
        float* const below = corner + size_t(w.out_width) * w.out_channels;
        float* const to[4] = {corner, wide < 2 ? tiles.nowhere : corner + w.out_channels,
                              high < 2 ? tiles.nowhere : below,
                              high < 2 || wide < 2 ? tiles.nowhere : below + w.out_channels};
        tiles.outputs(t, columns, bias ? bias + output : nullptr, to);
        activate(corner, wide, w.out_channels, columns, activation);
        if (high == 2) activate(below, wide, w.out_channels, columns, activation);
      }
    }
  }
}

// The values of a filter for a channel and four outputs, as rows of panels.
template <int STRIDE>
INLINE void pack_channel(const float* filter,  // [3, 3, channels, out_channels], at the first of the outputs, or null
                         float* packed,        // at the first of the outputs in their panel
                         const Window& w, int channel, int panel, int panels) {
  using S = Scheme<STRIDE>;
  const size_t step = size_t(w.channels) * w.out_channels;
  const float* const from = filter + size_t(channel) * w.out_channels;
  v128_t columns[3][S::POINTS];
#pragma unroll
  for (int j = 0; j < 3; j++) {
    v128_t weights[3];
#pragma unroll
    for (int i = 0; i < 3; i++) weights[i] = filter ? load(from + (3 * i + j) * step) : zero();
    S::filter(weights[0], weights[1], weights[2], columns[j]);
  }
#pragma unroll
  for (int i = 0; i < S::POINTS; i++) {
    v128_t row[S::POINTS];
    S::filter(columns[0][i], columns[1][i], columns[2][i], row);
#pragma unroll
    for (int j = 0; j < S::POINTS; j++) {
      const Point down = S::point(i), across = S::point(j);
      const int terms = S::terms(down.group) * S::terms(across.group);
      const int slot = down.slot * S::terms(across.group) + across.slot;
      const int before = terms_before<STRIDE>(down.group, across.group) * panels + panel * terms;
      store(packed + (size_t(before + slot) * w.channels + channel) * PANEL, row[j]);
    }
  }
}

template <int STRIDE>
INLINE void pack(const float* filter, float* packed, const Window& w, int first_output, int outputs, int first,
                 int end) {
  const int panels = panels_of(outputs);
  for (int c = 0; c < w.channels; c += PACKED_ROWS) {
    const int behind = c + PACKED_ROWS < w.channels ? c + PACKED_ROWS : w.channels;
    for (int panel = first; panel < end; panel++) {
      for (int half = 0; half < PANEL; half += LANES) {
        const int column = panel * PANEL + half;
        const float* const from = column < outputs ? filter + first_output + column : nullptr;
        for (int k = c; k < behind; k++) pack_channel<STRIDE>(from, packed + half, w, k, panel, panels);
      }
    }
  }
}

// Bytes of scratch memory that winograd needs.
EXPORT int winograd_scratch(const Window* window,  // as convolution_window.ts writes it
                            int block              // tiles at a time
) {
  const float* const end =
      window->stride_width == 1 ? Tiles<1>(*window, block, nullptr).end() : Tiles<2>(*window, block, nullptr).end();
  return int(reinterpret_cast<uintptr_t>(end));
}

// Panels of a filter for winograd, of which those from `first` to `end` are written.
EXPORT void winograd_pack(const float* filter,  // [3, 3, channels, out_channels]
                          float* packed,        // [16 or 25 (stride 2), channels, outputs in panels], the result
                          const Window* window, int first_output,
                          int outputs,  // from first_output on, a multiple of 4
                          int first,    // panel
                          int end       // behind the last panel
) {
  if (window->stride_width == 1) {
    pack<1>(filter, packed, *window, first_output, outputs, first, end);
  } else {
    pack<2>(filter, packed, *window, first_output, outputs, first, end);
  }
}

// Computes some outputs of some tiles of 2 x 2 positions: a 3 x 3 convolution with stride 1 or 2. Channels are
// multiples of 4.
EXPORT void winograd(const float* x,       // [batch, height, width, channels]
                     const float* packed,  // of winograd_pack, with the same first_output and outputs
                     const float* bias,    // [out_channels], or null
                     float* y,             // [batch, out_height, out_width, out_channels], the result
                     float* scratch,       // of winograd_scratch
                     const Window* window,
                     int block,  // tiles at a time
                     int first_output, int outputs,
                     int first,  // tile
                     int count, Activation activation) {
  if (window->stride_width == 1) {
    convolve<1>(x, packed, bias, y, scratch, *window, block, first_output, outputs, first, count, activation);
  } else {
    convolve<2>(x, packed, bias, y, scratch, *window, block, first_output, outputs, first, count, activation);
  }
}
