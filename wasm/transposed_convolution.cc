// Transposed convolutions whose stride equals the filter size: a matrix product, whose rows become tiles of pixels.
#include "activate.h"
#include "panels.h"
#include "window.h"

// Some pixels of the image. A few sums at a time stay in the first-level cache until they are written to their
// positions.
EXPORT void transposed_convolution(const float* x,       // [pixels, inputs]
                                   const float* packed,  // of pack_panels: [inputs, tile_rows * outputs]
                                   const float* bias,    // [tile_rows * outputs], or null
                                   float* y,             // [pixels / width, tile_rows, width, outputs], the result
                                   float* sums,          // [TILE, tile_rows * outputs], scratch memory
                                   int first,            // pixel
                                   int count,
                                   int width,  // of the image
                                   int inputs, int tile_rows,
                                   int outputs,  // of a row of a tile
                                   Activation activation) {
  const int columns = tile_rows * outputs, panels = panels_of(columns), block = panels_of_block(inputs);
  for (int panel = 0; panel < panels; panel += block) {
    const int behind = panel + block < panels ? panel + block : panels;
    const int begin = panel * PANEL, end = behind * PANEL < columns ? behind * PANEL : columns;
    const float* const from = packed + size_t(panel) * inputs * PANEL;
    const auto then = [&](float* to, int rows, int some) { activate(to, rows, columns, some, activation); };
    for (int pixel = first; pixel < first + count; pixel += TILE) {
      const int rows = first + count - pixel < TILE ? first + count - pixel : TILE;
      multiply_block(x + size_t(pixel) * inputs, from, bias, sums, rows, inputs, columns, panel, behind, then);
      for (int r = 0; r < rows; r++) {
        const int line = (pixel + r) / width, out_x = (pixel + r) % width;
        for (int p = begin / outputs; p * outputs < end; p++) {
          const int column = p * outputs < begin ? begin : p * outputs;
          const int last = (p + 1) * outputs < end ? (p + 1) * outputs : end;
          float* const to = y + ((size_t(line) * tile_rows + p) * width + out_x) * outputs + (column - p * outputs);
          copy_values(sums + r * columns + column, to, last - column);
        }
      }
    }
  }
}
