// The sum of all rows.
#include "row_totals.h"

EXPORT void row_sum(const float* x,  // [rows, C]
                    float* y,        // [C], the result
                    float* scratch,  // [C]
                    int rows,
                    int channels  // C
) {
  RowTotals<1> totals = {{y}, scratch, channels};
  totals.clear();
  for (int row = 0; row < rows; row++, x += channels) {
    for_channels(scratch, channels,
                 [&](int d, int n) { return add(load_first(scratch + d, n), load_first(x + d, n)); });
    totals.next_row();
  }
  totals.fold();
}
