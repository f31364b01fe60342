// Samples maps between their pixels, and computes the gradients in both inputs.
#include <cstring>

#include "simd.h"

// Position of a coordinate along an axis of `size` pixels.
struct Position {
  int first;  // the pixel at or before it
  float low;  // weight of that pixel, and of the one after it
  float high;
  float slope;  // derivative of the pixel position; 0 where it is clamped
};

// Returns false if it is so far outside that no pixel counts.
INLINE bool position_of(float coordinate, int size, bool border, bool corners, Position& position) {
  const float along = (coordinate == coordinate ? coordinate : -1) + 1;
  float at = corners ? along / 2 * (size - 1) : (along * size - 1) / 2;
  position.slope = float(corners ? size - 1 : size) / 2;
  if (border) {
    if (!(at > 0 && at < size - 1)) position.slope = 0;
    at = at > 0 ? at < size - 1 ? at : size - 1 : 0;
  } else if (!(at >= -1 && at < size)) {
    return false;
  }
  position.first = at < 0 ? -1 : int(at);
  position.high = at - position.first;
  position.low = 1 - position.high;
  return true;
}

// A pixel next to a position, and the derivatives of its weight with respect to the column and the row.
struct Corner {
  size_t from;
  float weight, along_columns, along_rows;
};

// Computes those of the four pixels that exist; returns their number.
INLINE int corners_of(const Position& row, const Position& column, size_t image, int height, int width, int channels,
                      Corner* corners) {
  int count = 0;
  for (int down = 0; down < 2; down++) {
    const int r = row.first + down;
    if (r < 0 || r >= height) continue;
    const float of_row = down ? row.high : row.low;
    for (int right = 0; right < 2; right++) {
      const int c = column.first + right;
      if (c < 0 || c >= width) continue;
      const float of_column = right ? column.high : column.low;
      corners[count++] = {((image * height + r) * width + c) * channels, of_row * of_column, right ? of_row : -of_row,
                          down ? of_column : -of_column};
    }
  }
  return count;
}

EXPORT void grid_sample(const float* x,     // [N, H, W, C]
                        const float* grid,  // [N, P, 2], x and y of every position
                        float* y,           // [N, P, C]
                        int images,         // N
                        int height,         // H
                        int width,          // W
                        int channels,       // C
                        int positions,      // P
                        bool border,        // what is beyond the pixels: false: zeros
                        bool aligned        // whether -1 and 1 are the centres of the outermost pixels
) {
  Position row, column;
  Corner corners[4];
  for (size_t image = 0; image < size_t(images); image++) {
    for (int p = 0; p < positions; p++, grid += 2, y += channels) {
      const bool counts =
          position_of(grid[0], width, border, aligned, column) && position_of(grid[1], height, border, aligned, row);
      const int count = counts ? corners_of(row, column, image, height, width, channels, corners) : 0;
      for_channels(y, channels, [&](int d, int n) {
        v128_t sum = zero();
        for (int i = 0; i < count; i++)
          sum = add(sum, mul(splat(corners[i].weight), load_first(x + corners[i].from + d, n)));
        return sum;
      });
    }
  }
}

EXPORT void grid_sample_gradient(const float* x,     // [N, H, W, C]
                                 const float* grid,  // [N, P, 2]
                                 const float* dy,    // [N, P, C]
                                 float* dx,          // [N, H, W, C]
                                 float* dgrid,       // [N, P, 2]
                                 int images,         // N
                                 int height,         // H
                                 int width,          // W
                                 int channels,       // C
                                 int positions,      // P
                                 bool border,        // as in grid_sample
                                 bool aligned) {
  memset(dx, 0, size_t(images) * height * width * channels * sizeof(float));
  Position row, column;
  Corner corners[4];
  for (size_t image = 0; image < size_t(images); image++) {
    for (int p = 0; p < positions; p++, grid += 2, dgrid += 2, dy += channels) {
      dgrid[0] = dgrid[1] = 0;
      if (!position_of(grid[0], width, border, aligned, column) || !position_of(grid[1], height, border, aligned, row))
        continue;
      const int count = corners_of(row, column, image, height, width, channels, corners);
      for (int i = 0; i < count; i++) {
        const Corner& corner = corners[i];
        v128_t products = zero();
        for_channels(dx + corner.from, channels, [&](int d, int n) {
          const v128_t gradient = load_first(dy + d, n);
          products = add(products, mul(gradient, load_first(x + corner.from + d, n)));
          return add(load_first(dx + corner.from + d, n), mul(splat(corner.weight), gradient));
        });
        const float product = sum_lanes(products);
        dgrid[0] += corner.along_columns * product;
        dgrid[1] += corner.along_rows * product;
      }
      dgrid[0] *= column.slope;
      dgrid[1] *= row.slope;
    }
  }
}
