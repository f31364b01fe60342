/**
 * Copies tensors: y[to] = x[from] over any axes, where both offsets are sums of index times stride. This covers slices,
 * transposes, tiling, reversal and concatenation. Elements have 1, 4 or 16 bytes: contiguous elements may be moved as
 * larger ones.
 */
#include "kernel.h"
#include "indexing.h"

#define STRIDED_COPY(name, Element)                                                                                    \
  KERNEL(name, THREADS, const Element* __restrict__ x, Element* __restrict__ y, int size, Axes axes, Strides xStrides, \
         Strides yStrides) {                                                                                           \
    FOR_EACH(i, size) {                                                                                                \
      const uint2 places = placesOf(i, axes, xStrides, yStrides);                                                      \
      y[(int)places.y] = x[(int)places.x]; /* strides may be negative */                                               \
    }                                                                                                                  \
  }

STRIDED_COPY(strided_copy_1, unsigned char)
STRIDED_COPY(strided_copy_4, unsigned)
STRIDED_COPY(strided_copy_16, uint4)

/**
 * The same if neighbours in x are not neighbours in y: tiles of 32 x 32 elements pass through shared memory, read along
 * one axis and written along the other. Rows of x have `width` contiguous elements, rows of y `height`; the other axes
 * are batches. 32 x 8 threads per block, one block per tile.
 */
template <typename Element>
__device__ inline void transposeTile(const Element* __restrict__ x, Element* __restrict__ y, int height, int width,
                                     int xStride, int yStride, const Axes& batch, const Strides& xBatch,
                                     const Strides& yBatch, Element (*tile)[COPY_TILE + 1]) {
  const int tilesAcross = (width + COPY_TILE - 1) / COPY_TILE;
  const int tilesDown = (height + COPY_TILE - 1) / COPY_TILE;
  const int left = blockIdx.x % tilesAcross * COPY_TILE;
  const int top = blockIdx.x / tilesAcross % tilesDown * COPY_TILE;
  const uint2 places = placesOf(blockIdx.x / tilesAcross / tilesDown, batch, xBatch, yBatch);
  x += (int)places.x;
  y += (int)places.y;
  for (int i = threadIdx.y; i < COPY_TILE; i += blockDim.y) {
    const int row = top + i;
    const int column = left + threadIdx.x;
    if (row < height && column < width) tile[i][threadIdx.x] = x[row * xStride + column];
  }
  __syncthreads();
  for (int i = threadIdx.y; i < COPY_TILE; i += blockDim.y) {
    const int row = top + threadIdx.x;
    const int column = left + i;
    if (row < height && column < width) y[column * yStride + row] = tile[threadIdx.x][i];
  }
}

#define TRANSPOSE_TILES(name, Element)                                                                             \
  KERNEL(name, THREADS, const Element* x, Element* y, int height, int width, int xStride, int yStride, Axes batch, \
         Strides xBatch, Strides yBatch) {                                                                         \
    __shared__ Element tile[COPY_TILE][COPY_TILE + 1];                                                             \
    transposeTile(x, y, height, width, xStride, yStride, batch, xBatch, yBatch, tile);                             \
  }

TRANSPOSE_TILES(transpose_tiles_1, unsigned char)
TRANSPOSE_TILES(transpose_tiles_4, unsigned)
