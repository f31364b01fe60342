// Non-maximum suppression, with the comparisons of plugin/kernels/suppression.ts in the same order.
#include <cfloat>
#include <cstring>

#include "simd.h"
#include "sort.h"

// Ascending keys are descending scores: -0 equals +0, NaN comes last.
static uint32_t key_of(float score) {
  if (score != score) return 0xffffffffu;
  if (score == 0) return 0x7fffffffu;
  uint32_t bits;
  memcpy(&bits, &score, sizeof bits);
  return bits >> 31 ? bits : ~(bits | 0x80000000u);
}

// Kept boxes are stored in the cells of a grid by their centres. Two intervals of lengths a and b whose intersection
// over union is t have b <= a / t, and centres at most a * (1 - t) / (2t) apart: only cells within that distance can
// hold a box with enough overlap.
constexpr int SIDE = 32;
constexpr int CELLS = SIDE * SIDE;
// Relative to a box's side: more than rounding errors.
constexpr double SLACK = 1e-5;

// One axis of the grid.
struct Axis {
  double first = DBL_MAX, last = -DBL_MAX;
  double cells_per_unit = 0;

  void include(double centre) {
    if (centre < first) first = centre;
    if (centre > last) last = centre;
  }
  // Uses a single cell if the centres do not lie in a finite range.
  void divide() {
    const double length = last - first;
    if (length > 0 && length < FLT_MAX) cells_per_unit = SIDE / length;
  }
  int cell_of(double centre) const {
    const double cell = (centre - first) * cells_per_unit;
    return cell >= SIDE - 1 ? SIDE - 1 : cell > 0 ? int(cell) : 0;
  }
};

// A box with a positive area, which can overlap others.
struct Box {
  float x1, y1, x2, y2;
  explicit Box(const float* at) : x1(at[0]), y1(at[1]), x2(at[2]), y2(at[3]) {}
  float width() const { return x2 - x1; }
  float height() const { return y2 - y1; }
  bool has_area() const { return width() > 0 && height() > 0; }
  double x() const { return (double(x1) + x2) / 2; }
  double y() const { return (double(y1) + y2) / 2; }
};

// Kept boxes by cell, one coordinate after another, each cell padded to whole vectors with boxes that overlap nothing.
struct Kept {
  float *x1, *y1, *x2, *y2, *area;
  int32_t* starts;  // of every cell
  int32_t* counts;

  void add(int cell, const Box& box, float area_of_box) {
    const int k = starts[cell] + counts[cell]++;
    if (k % LANES == 0) {
      store(x1 + k, splat(FLT_MAX));
      store(x2 + k, splat(-FLT_MAX));
      store(y1 + k, splat(FLT_MAX));
      store(y2 + k, splat(-FLT_MAX));
      store(area + k, zero());
    }
    x1[k] = box.x1;
    y1[k] = box.y1;
    x2[k] = box.x2;
    y2[k] = box.y2;
    area[k] = area_of_box;
  }
};

INLINE v128_t smaller(v128_t a, v128_t b) { return wasm_f32x4_pmin(a, b); }
INLINE v128_t larger(v128_t a, v128_t b) { return wasm_f32x4_pmax(a, b); }

// Whether a kept box of a cell overlaps this one by more than the threshold, which is not negative.
static bool drops(const Kept& kept, int cell, const Box& box, float area, float threshold) {
  const v128_t left = splat(box.x1), top = splat(box.y1), right = splat(box.x2), bottom = splat(box.y2);
  const v128_t own = splat(area), limit = splat(threshold);
  // The division is slowest, so it is computed only if a product says that the quotient may be large enough.
  const v128_t nearly = splat(threshold * (1 - 1e-6f));
  const int end = kept.starts[cell] + kept.counts[cell];
  for (int k = kept.starts[cell]; k < end; k += LANES) {
    const v128_t width = sub(smaller(right, load(kept.x2 + k)), larger(left, load(kept.x1 + k)));
    const v128_t height = sub(smaller(bottom, load(kept.y2 + k)), larger(top, load(kept.y1 + k)));
    const v128_t shared = mul(larger(zero(), width), larger(zero(), height));
    const v128_t all = sub(add(load(kept.area + k), own), shared);
    if (!wasm_v128_any_true(wasm_f32x4_gt(shared, mul(all, nearly)))) continue;
    if (wasm_v128_any_true(wasm_f32x4_gt(div(shared, all), limit))) return true;
  }
  return false;
}

// Floats of each list of kept boxes.
static size_t list_size(int count) { return size_t(count) + LANES * CELLS; }

// Bytes of scratch memory.
EXPORT size_t suppress_scratch(int count) {
  const size_t cells = 2 * CELLS * sizeof(int32_t);
  return 2 * size_t(count) * sizeof(Entry) + DIGITS * sizeof(uint32_t) + cells + 5 * list_size(count) * sizeof(float);
}

// Returns how many boxes are kept.
EXPORT int suppress(const float* boxes,   // [K, 4]
                    const float* scores,  // [K]
                    int32_t* keep,        // [K], indices of the kept ones by descending score
                    void* scratch,        // suppress_scratch(K) bytes
                    int count,            // K
                    float threshold,      // of the intersection over union
                    int most              // of kept boxes
) {
  Entry* const a = static_cast<Entry*>(scratch);
  Entry* const b = a + count;
  uint32_t* const digits = reinterpret_cast<uint32_t*>(b + count);
  int32_t* const starts = reinterpret_cast<int32_t*>(digits + DIGITS);
  float* const lists = reinterpret_cast<float*>(starts + 2 * CELLS);
  const size_t size = list_size(count);
  Kept kept = {lists, lists + size, lists + 2 * size, lists + 3 * size, lists + 4 * size, starts, starts + CELLS};

  Axis columns, rows;
  for (int i = 0; i < count; i++) {
    a[i] = {key_of(scores[i]), i};
    const Box box(boxes + size_t(4) * i);
    if (!box.has_area()) continue;
    columns.include(box.x());
    rows.include(box.y());
  }
  sort_by_key(a, b, count, digits);
  columns.divide();
  rows.divide();

  const auto cell_of = [&](const Box& box) { return rows.cell_of(box.y()) * SIDE + columns.cell_of(box.x()); };
  memset(kept.counts, 0, CELLS * sizeof(int32_t));
  for (int i = 0; i < count; i++) {
    const Box box(boxes + size_t(4) * i);
    if (box.has_area()) kept.counts[cell_of(box)]++;
  }
  for (int cell = 0, next = 0; cell < CELLS; cell++) {
    kept.starts[cell] = next;
    next += (kept.counts[cell] + LANES - 1) / LANES * LANES;
    kept.counts[cell] = 0;
  }

  const double reach = (1 - double(threshold)) / (2 * double(threshold)) + SLACK;  // in sides of a box
  int found = 0;
  for (int i = 0; i < count && found < most; i++) {
    const Box box(boxes + size_t(4) * b[i].index);
    if (box.has_area()) {
      const float area = box.width() * box.height();
      const double x = reach * box.width(), y = reach * box.height();
      const int left = columns.cell_of(box.x() - x), right = columns.cell_of(box.x() + x);
      const int top = rows.cell_of(box.y() - y), bottom = rows.cell_of(box.y() + y);
      bool is_dropped = false;
      for (int row = top; row <= bottom && !is_dropped; row++) {
        for (int column = left; column <= right && !is_dropped; column++) {
          is_dropped = drops(kept, row * SIDE + column, box, area, threshold);
        }
      }
      if (is_dropped) continue;
      kept.add(cell_of(box), box, area);
    }
    keep[found++] = b[i].index;
  }
  return found;
}
