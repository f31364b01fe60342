/**
 * Adds rows to, or writes them over, rows of a tensor selected by indices. Several updates of a row are applied in
 * their order, so that the bits are the same every time: no two blocks write the same element. A block has its own
 * range of rows and tile of columns; it scans all indices, 256 at a time, and applies those of its rows.
 */
#include "kernel.h"
#include "points.h"

constexpr int SCATTER_WARPS = THREADS / WARP;

/** The updates, among 256, that a block must apply. */
struct Found {
  int row[THREADS];
  int update[THREADS];
  int perWarp[SCATTER_WARPS];
};

__device__ inline float added(float a, float b) { return a + b; }
__device__ inline int added(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
__device__ inline unsigned char added(unsigned char a, unsigned char b) { return a + b; }

/**
 * Applies updates[count, slice] to y[rows, slice], at rowOf(indices[count, depth]); rows out of range are ignored.
 * Blocks: x tiles of `width` columns (a power of two up to 256), y ranges of `span` rows. Of a block's 256 threads
 * those with the same column have every (256 / width)-th row. updateStride: `slice`, or 0 to write one number.
 */
template <typename Element, bool add>
__device__ inline void scatter(const Element* __restrict__ updates, const int* __restrict__ indices,
                               Element* __restrict__ y, int count, int depth, int rows, int slice, int span, int width,
                               int updateStride, const Strides& strides, Found& found) {
  const int firstRow = blockIdx.y * span;
  const int lastRow = min(rows, firstRow + span);
  const int column = blockIdx.x * width + threadIdx.x % width;
  const int thread = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int shares = THREADS / width;
  const int share = threadIdx.x / width;
  for (int tile = 0; tile < count; tile += THREADS) {
    const int update = tile + threadIdx.x;
    const int row = update < count ? rowOf(indices, update, depth, strides) : -1;
    const bool mine = firstRow <= row && row < lastRow;
    const unsigned inWarp = __ballot_sync(0xffffffff, mine);
    if (thread == 0) found.perWarp[warp] = __popc(inWarp);
    __syncthreads();
    int place = __popc(inWarp & ((1u << thread) - 1));
    int total = 0;
    for (int w = 0; w < SCATTER_WARPS; w++) {
      if (w < warp) place += found.perWarp[w];
      total += found.perWarp[w];
    }
    if (mine) {
      found.row[place] = row;
      found.update[place] = update;
    }
    __syncthreads();
    if (column < slice) {
      for (int i = 0; i < total; i++) {
        if (found.row[i] % shares != share) continue;
        Element* const to = y + (size_t)found.row[i] * slice + column;
        const Element value = updates[(size_t)found.update[i] * updateStride + (updateStride ? column : 0)];
        *to = add ? added(*to, value) : value;
      }
    }
    // No barrier: `perWarp` was read before the last one, and the lists are overwritten after the next one.
  }
}

#define SCATTER(name, Element, add)                                                                                   \
  KERNEL(name, THREADS, const Element* updates, const int* indices, Element* y, int count, int depth, int rows,       \
         int slice, int span, int width, int updateStride, Strides strides) {                                         \
    __shared__ Found found;                                                                                           \
    scatter<Element, add>(updates, indices, y, count, depth, rows, slice, span, width, updateStride, strides, found); \
  }

SCATTER(scatter_add_f32, float, true)
SCATTER(scatter_add_i32, int, true)
SCATTER(scatter_write_1, unsigned char, false)
SCATTER(scatter_write_4, int, false)
