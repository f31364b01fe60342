// Panels of packed columns, the form in which products of matrices read one of their factors.
#pragma once
#include "simd.h"

// Turns of the inner loop. clang must not unroll it: then both compilers gather the terms of several turns for one sum,
// and registers spill (a quarter slower). With a constant count V8 unrolls it well (8 % faster than one long loop).
constexpr int STEPS = 16;

// Rows that are packed at a time: the rows of a wide matrix lie in pages of their own, the panels in a few cache sets.
constexpr int PACKED_ROWS = 16;

INLINE int panels_of(int columns) { return (columns + PANEL - 1) / PANEL; }

// Row k of panel p holds eight columns of weights[k], from first + 8p on; those beyond the last are zero.
INLINE void pack_panels(const float* weights,  // [rows, columns]
                        float* packed,         // [ceil((end - first) / 8), rows, 8], the result
                        int rows,
                        int columns,
                        int first,  // column
                        int end     // behind the last column
) {
  for (int k = 0; k < rows; k += PACKED_ROWS) {
    const int count = rows - k < PACKED_ROWS ? rows - k : PACKED_ROWS;
    float* panel = packed + size_t(k) * PANEL;
    for (int column = first; column < end; column += PANEL, panel += size_t(rows) * PANEL) {
      const float* from = weights + size_t(k) * columns + column;
      float* to = panel;
      const int used = end - column < PANEL ? end - column : PANEL;
      const int low = used < LANES ? used : LANES;
      for (int r = 0; r < count; r++, from += columns, to += PANEL) {
        store(to, used == PANEL ? load(from) : load_first(from, low));
        store(to + LANES, used == PANEL ? load(from + LANES) : load_first(from + LANES, used - low));
      }
    }
  }
}
