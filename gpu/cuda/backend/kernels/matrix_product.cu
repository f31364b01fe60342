/**
 * Products of float32 matrices, row-major or transposed in memory, in batches; for devices without cuBLAS.
 *
 * Blocks: x tiles, y parts. A part is a matrix of the batch or, if the sums are long and the tiles few, a part of its
 * terms: then `c` holds a matrix for each part, which sum_shares adds in order. So results are the same in every run.
 */
#include "kernel.h"
#include "epilogue.h"
#include "indexing.h"
#include "tile.h"

/** c[i] = a[i] b[i]: m x k by k x n. The strides are those between rows of a matrix in memory. */
template <typename ALoader, typename BLoader>
__device__ inline void multiplyMatrices(Tiles& tiles, const float* a, int aStride, const float* b, int bStride,
                                        float* c, int m, int n, int k, int batches, int shares, int termsOfShare,
                                        const Axes& axes, const Strides& aBatches, const Strides& bBatches,
                                        const Epilogue& epilogue) {
  const Corner corner = cornerOf(m);
  for (int part = blockIdx.y; part < batches * shares; part += gridDim.y) {
    const int share = part / batches;
    const uint2 places = placesOf(part - share * batches, axes, aBatches, bBatches);
    const int begin = share * termsOfShare;
    const int end = min(k, begin + termsOfShare);
    const ALoader rows(a + places.x, aStride, corner.row, m, end);
    const BLoader columns(b + places.y, bStride, corner.column, n, end);
    const Sums sums = multiplyTile(tiles, rows, columns, begin, end);
    float* const to = c + (size_t)part * m * n;
    forEachSum(sums, corner, m, n,
               [&](int row, int column, float sum) { to[(size_t)row * n + column] = epilogue(sum, column); });
  }
}

/** n: not transposed, t: transposed in memory; first for a, then for b. */
#define MATRIX_PRODUCT(name, ALoader, BLoader)                                                                         \
  KERNEL(name, TILE_THREADS, const float* a, int aStride, const float* b, int bStride, float* c, int m, int n, int k,  \
         int batches, int shares, int termsOfShare, Axes axes, Strides aBatches, Strides bBatches,                     \
         EPILOGUE_PARAMETERS) {                                                                                        \
    __shared__ Tiles tiles;                                                                                            \
    multiplyMatrices<ALoader, BLoader>(tiles, a, aStride, b, bStride, c, m, n, k, batches, shares, termsOfShare, axes, \
                                       aBatches, bBatches, EPILOGUE);                                                  \
  }

MATRIX_PRODUCT(matrix_product_nn, LinesAlongK, LinesAcrossK)
MATRIX_PRODUCT(matrix_product_nt, LinesAlongK, LinesAlongK)
MATRIX_PRODUCT(matrix_product_tn, LinesAcrossK, LinesAcrossK)
MATRIX_PRODUCT(matrix_product_tt, LinesAcrossK, LinesAlongK)

/** y[i] = epilogue of the sum of the parts of element i: [shares, rows, columns] to [rows, columns]. x may be y. */
KERNEL(sum_shares, THREADS, const float* x, float* y, int size, int columns, int shares, EPILOGUE_PARAMETERS) {
  const Epilogue epilogue = EPILOGUE;
  FOR_EACH(i, size) {
    float sum = 0.0f;
    for (int share = 0; share < shares; share++) sum += x[(size_t)share * size + i];
    y[i] = epilogue(sum, i % columns);
  }
}

/** y[row] = x[row][first .. first + columns - 1] of rows of length `stride`: for cuBLAS, which takes dense rows. */
KERNEL(copy_columns, THREADS, const float* __restrict__ x, float* __restrict__ y, int size, int columns, int stride) {
  FOR_EACH(i, size) {
    const unsigned row = i / columns;
    y[i] = x[(size_t)row * stride + (i - row * columns)];
  }
}

/**
 * c[row] = a[row] b for few rows, for which tiles would be mostly empty: each token of a text is one row. Reading b
 * dominates, and there are few columns to distribute, so a block has 32 of them, its 32 warps split the terms, and each
 * thread has 8 reads in flight. Blocks: x columns, y rows, z batches.
 */
KERNEL(row_product, ROW_COLUMNS* ROW_SLICES, const float* __restrict__ a, const float* __restrict__ b, int bStride,
       float* __restrict__ c, int m, int n, int k, int batches, const __grid_constant__ Axes axes,
       const __grid_constant__ Strides aBatches, const __grid_constant__ Strides bBatches,
       EPILOGUE_PARAMETERS) {  // grid constants: otherwise the structs are copied to local memory
  __shared__ float partial[ROW_SLICES][ROW_COLUMNS];
  const Epilogue epilogue = EPILOGUE;
  const int thread = threadIdx.x % ROW_COLUMNS;
  const int slice = threadIdx.x / ROW_COLUMNS;
  const int column = blockIdx.x * ROW_COLUMNS + thread;
  const int row = blockIdx.y;
  for (unsigned batch = blockIdx.z; batch < (unsigned)batches; batch += gridDim.z) {
    const uint2 places = placesOf(batch, axes, aBatches, bBatches);
    const float* factors = a + places.x + (size_t)row * k;
    float sum = 0.0f;
    if (column < n) {
      const float* line = b + places.y + column;
#pragma unroll 8
      for (int term = slice; term < k; term += ROW_SLICES) sum += factors[term] * line[(size_t)term * bStride];
    }
    partial[slice][thread] = sum;
    __syncthreads();
    if (slice == 0 && column < n) {
      for (int other = 1; other < ROW_SLICES; other++) sum += partial[other][thread];
      c[((size_t)batch * m + row) * n + column] = epilogue(sum, column);
    }
    if (batch + gridDim.z < (unsigned)batches) __syncthreads();  // before `partial` is written again
  }
}
