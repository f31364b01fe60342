/**
 * The loop of every kernel that is essentially a matrix product. A block of 256 threads computes a tile of 64 x 64
 * sums; a thread computes 4 x 4 of them in registers. Each step takes 16 terms of the sums: while one step is
 * multiplied from shared memory, the factors of the next are loaded from global memory to registers.
 *
 * Loaders provide the factors. A loader is created for the 64 rows (of A) or columns (of B) of the tile;
 * `fetch(k, values)` loads four factors for this thread, 0 beyond the ends. If neighbours along k are contiguous in
 * memory (`ALONG_K`), neighbouring threads take neighbouring k of the same line, otherwise neighbouring lines.
 */
#pragma once

/** Lines or terms between two factors that a loader loads. */
constexpr int FETCHED = 4;

/**
 * Two steps of both factors: one is written while the other is read. Rows of 68 keep float4 aligned and avoid bank
 * conflicts.
 */
struct __align__(16) Tiles {
  float a[2][TILE_DEPTH][TILE + 4];
  float b[2][TILE_DEPTH][TILE + 4];
};

/** The line of the tile and the term of this thread's factor `i` of a step. */
template <bool alongK>
__device__ inline int lineOf(int i) {
  return alongK ? threadIdx.x / TILE_DEPTH + i * (TILE / FETCHED) : threadIdx.x % TILE;
}
template <bool alongK>
__device__ inline int termOf(int i) {
  return alongK ? threadIdx.x % TILE_DEPTH : threadIdx.x / TILE + i * (TILE_DEPTH / FETCHED);
}

template <bool alongK>
__device__ inline void keep(float (&step)[TILE_DEPTH][TILE + 4], const float (&values)[FETCHED]) {
#pragma unroll
  for (int i = 0; i < FETCHED; i++) step[termOf<alongK>(i)][lineOf<alongK>(i)] = values[i];
}

/** The lines of a matrix that is contiguous along k; lines are `stride` apart. */
struct LinesAlongK {
  static constexpr bool ALONG_K = true;
  const float* lines[FETCHED];
  int end;

  __device__ LinesAlongK(const float* values, int stride, int firstLine, int lineCount, int kEnd) : end(kEnd) {
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int line = firstLine + lineOf<true>(i);
      lines[i] = line < lineCount ? values + (size_t)line * stride : nullptr;
    }
  }

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
    const int k = k0 + termOf<true>(0);
#pragma unroll
    for (int i = 0; i < FETCHED; i++) values[i] = lines[i] && k < end ? lines[i][k] : 0.0f;
  }
};

/** The lines of a matrix that is contiguous across lines; terms are `stride` apart. */
struct LinesAcrossK {
  static constexpr bool ALONG_K = false;
  const float* line;
  int stride;
  int end;

  __device__ LinesAcrossK(const float* values, int stride, int firstLine, int lineCount, int kEnd)
      : stride(stride), end(kEnd) {
    const int at = firstLine + lineOf<false>(0);
    line = at < lineCount ? values + at : nullptr;
  }

  __device__ void fetch(int k0, float (&values)[FETCHED]) const {
#pragma unroll
    for (int i = 0; i < FETCHED; i++) {
      const int k = k0 + termOf<false>(i);
      values[i] = line && k < end ? line[(size_t)k * stride] : 0.0f;
    }
  }
};

/** Origin of a tile in the matrix of sums. */
struct Corner {
  int row;
  int column;
};
/**
 * The origin of this block's tile. Tiles are numbered down the rows first, in blockIdx.x, the only index that may
 * exceed 65535.
 */
__device__ inline Corner cornerOf(int rows) {
  const int tilesDown = (rows + TILE - 1) / TILE;
  const int across = blockIdx.x / tilesDown;
  return {(int)(blockIdx.x - across * tilesDown) * TILE, across * TILE};
}

/** Sums of this thread: 4 rows from `firstSumRow()`, 4 columns from `firstSumColumn()` of the tile. */
struct Sums {
  float at[4][4];
};
__device__ inline int firstSumRow() { return threadIdx.x / (TILE / 4) * 4; }
__device__ inline int firstSumColumn() { return threadIdx.x % (TILE / 4) * 4; }

/** Sums of A times B over kBegin .. kEnd - 1. All threads of the block must call it. */
template <typename A, typename B>
__device__ inline Sums multiplyTile(Tiles& tiles, const A& a, const B& b, int kBegin, int kEnd) {
  Sums sums = {};
  float nextA[FETCHED], nextB[FETCHED];
  a.fetch(kBegin, nextA);
  b.fetch(kBegin, nextB);
  int half = 0;
  for (int k = kBegin; k < kEnd; k += TILE_DEPTH) {
    keep<A::ALONG_K>(tiles.a[half], nextA);
    keep<B::ALONG_K>(tiles.b[half], nextB);
    // One barrier is enough: a thread that writes this half again has passed the next one, as have all that read it.
    __syncthreads();
    if (k + TILE_DEPTH < kEnd) {
      a.fetch(k + TILE_DEPTH, nextA);
      b.fetch(k + TILE_DEPTH, nextB);
    }
#pragma unroll
    for (int term = 0; term < TILE_DEPTH; term++) {
      const float4 rows = *reinterpret_cast<const float4*>(&tiles.a[half][term][firstSumRow()]);
      const float4 columns = *reinterpret_cast<const float4*>(&tiles.b[half][term][firstSumColumn()]);
      const float row[4] = {rows.x, rows.y, rows.z, rows.w};
      const float column[4] = {columns.x, columns.y, columns.z, columns.w};
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) sums.at[i][j] += row[i] * column[j];
      }
    }
    half ^= 1;
  }
  __syncthreads();  // the caller may start another tile
  return sums;
}

/** Calls `store(row, column, sum)` for the sums of this thread that lie in a matrix of rows x columns. */
template <typename Store>
__device__ inline void forEachSum(const Sums& sums, const Corner& corner, int rows, int columns, Store store) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int row = corner.row + firstSumRow() + i;
    if (row >= rows) return;
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const int column = corner.column + firstSumColumn() + j;
      if (column < columns) store(row, column, sums.at[i][j]);
    }
  }
}
