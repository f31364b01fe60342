/**
 * Cumulative sums and products along the axis `length` of [outer, length, inner]. `reverse` starts at the end;
 * `exclusive` excludes the element itself. The order of combination depends only on sizes.
 */
#include "kernel.h"
#include "indexing.h"
#include "reduce.h"

/** Many columns: one thread per column, with neighbouring threads on neighbouring columns. */
template <typename Op>
__device__ inline void scanColumns(const typename Op::Input* __restrict__ x, typename Op::Result* __restrict__ y,
                                   int columns, int length, int inner, int exclusive, int reverse) {
  FOR_EACH(column, columns) {
    const size_t first = (size_t)(column / inner) * length * inner + column % inner;
    typename Op::Accumulator sum = Op::none();
    for (int step = 0; step < length; step++) {
      const size_t at = first + (size_t)(reverse ? length - 1 - step : step) * inner;
      const typename Op::Accumulator next = Op::combine(sum, Op::load(x[at], step));
      y[at] = Op::finish(exclusive ? sum : next, 1.0f);
      sum = next;
    }
  }
}

/**
 * Few columns: one block per column. It takes 256 elements at a time: every warp scans its own, then adds those before.
 */
template <typename Op>
__device__ inline void scanByBlocks(const typename Op::Input* __restrict__ x, typename Op::Result* __restrict__ y,
                                    int length, int inner, int exclusive, int reverse,
                                    typename Op::Accumulator* perWarp) {
  const size_t first = (size_t)(blockIdx.x / inner) * length * inner + blockIdx.x % inner;
  const int thread = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  typename Op::Accumulator before = Op::none();  // all tiles so far
  for (int tile = 0; tile < length; tile += THREADS) {
    const int step = tile + threadIdx.x;
    const size_t at = first + (size_t)(reverse ? length - 1 - step : step) * inner;
    typename Op::Accumulator sum = step < length ? Op::load(x[at], step) : Op::none();
    for (int distance = 1; distance < 32; distance *= 2) {
      const typename Op::Accumulator earlier = fromThreadBefore(sum, distance);
      if (thread >= distance) sum = Op::combine(earlier, sum);
    }
    const typename Op::Accumulator previous = fromThreadBefore(sum, 1);
    if (thread == 31) perWarp[warp] = sum;
    __syncthreads();
    typename Op::Accumulator start = before;
    for (int earlier = 0; earlier < WARPS; earlier++) {
      if (earlier == warp) start = before;
      before = Op::combine(before, perWarp[earlier]);
    }
    __syncthreads();  // perWarp is overwritten next
    if (step < length) {
      const typename Op::Accumulator upTo = thread == 0 ? start : Op::combine(start, previous);
      y[at] = Op::finish(exclusive ? upTo : Op::combine(start, sum), 1.0f);
    }
  }
}

#define SCAN(name, ...)                                                                                            \
  using Operation_##name = __VA_ARGS__;                                                                            \
  KERNEL(scan_columns_##name, THREADS, const Operation_##name::Input* x, Operation_##name::Result* y, int columns, \
         int length, int inner, int exclusive, int reverse) {                                                      \
    scanColumns<Operation_##name>(x, y, columns, length, inner, exclusive, reverse);                               \
  }                                                                                                                \
  KERNEL(scan_blocks_##name, THREADS, const Operation_##name::Input* x, Operation_##name::Result* y, int length,   \
         int inner, int exclusive, int reverse) {                                                                  \
    __shared__ Operation_##name::Accumulator perWarp[WARPS];                                                       \
    scanByBlocks<Operation_##name>(x, y, length, inner, exclusive, reverse, perWarp);                              \
  }

using Boolean = unsigned char;

SCAN(sum_f32, CompensatedSum<float>)
SCAN(sum_i32, Sum<int, int>)
SCAN(sum_bool, Sum<Boolean, int>)
SCAN(prod_f32, FloatProduct)
SCAN(prod_i32, Product<int, int>)
SCAN(prod_bool, Product<Boolean, int>)
