/**
 * Reductions over one axis of [outer, length, inner]. A long axis may be split into pieces (gridDim.y of them), whose
 * results [outer, pieces, inner] are reduced again. Blocks of 256 threads.
 */
#include "kernel.h"
#include "reduce.h"

/** The part of the axis that a block reduces. */
struct Piece {
  int start;
  int end;
};
__device__ inline Piece pieceOf(int length) {
  const int span = (length + gridDim.y - 1) / gridDim.y;
  const int start = min(length, (int)blockIdx.y * span);
  return {start, min(length, start + span)};
}

/** inner = 1: `sharing` neighbouring threads reduce a row: a power of two up to 32, or 256. */
template <typename Op>
__device__ inline void reduceRows(const typename Op::Input* __restrict__ x, typename Op::Result* __restrict__ y,
                                  int rows, int length, int sharing, float divisor, typename Op::Accumulator* perWarp) {
  const int row = blockIdx.x * (THREADS / sharing) + threadIdx.x / sharing;
  const int thread = threadIdx.x % sharing;
  const Piece piece = pieceOf(length);
  typename Op::Accumulator mine = Op::none();
  if (row < rows) mine = gather<Op>(x + (size_t)row * length, piece.start + thread, piece.end, sharing, 1);
  mine = acrossThreads<Op>(mine, sharing, perWarp);
  if (row < rows && thread == 0) y[(size_t)row * gridDim.y + blockIdx.y] = Op::finish(mine, divisor);
}

/**
 * inner > 1: `width` neighbouring threads (a power of two) have a column each, and the threads of the block with the
 * same column share it. `tiles` blocks of `width` columns cover one [length, inner].
 */
template <typename Op>
__device__ inline void reduceColumns(const typename Op::Input* __restrict__ x, typename Op::Result* __restrict__ y,
                                     int length, int inner, int width, int tiles, float divisor,
                                     typename Op::Accumulator* shared) {
  const size_t outer = blockIdx.x / tiles;
  const int column = blockIdx.x % tiles * width + threadIdx.x % width;
  const Piece piece = pieceOf(length);
  typename Op::Accumulator mine = Op::none();
  if (column < inner) {
    const int start = piece.start + threadIdx.x / width;
    mine = gather<Op>(x + outer * length * inner + column, start, piece.end, THREADS / width, inner);
  }
  const int thread = threadIdx.x;
  shared[thread] = mine;
  for (int half = THREADS / 2; half >= width; half /= 2) {
    __syncthreads();
    if (thread < half) shared[thread] = Op::combine(shared[thread], shared[thread + half]);
  }
  if (thread < width && column < inner) {
    y[(outer * gridDim.y + blockIdx.y) * inner + column] = Op::finish(shared[thread], divisor);
  }
}

#define REDUCTION(name, ...)                                                                                        \
  using Operation_##name = __VA_ARGS__;                                                                             \
  KERNEL(reduce_rows_##name, THREADS, const Operation_##name::Input* x, Operation_##name::Result* y, int rows,      \
         int length, int sharing, float divisor) {                                                                  \
    __shared__ Operation_##name::Accumulator perWarp[WARPS];                                                        \
    reduceRows<Operation_##name>(x, y, rows, length, sharing, divisor, perWarp);                                    \
  }                                                                                                                 \
  KERNEL(reduce_columns_##name, THREADS, const Operation_##name::Input* x, Operation_##name::Result* y, int length, \
         int inner, int width, int tiles, float divisor) {                                                          \
    __shared__ Operation_##name::Accumulator shared[THREADS];                                                       \
    reduceColumns<Operation_##name>(x, y, length, inner, width, tiles, divisor, shared);                            \
  }

using Boolean = unsigned char;

REDUCTION(sum_f32, CompensatedSum<float>)
REDUCTION(sum_i32, Sum<int, int>)
REDUCTION(sum_bool, Sum<Boolean, int>)
REDUCTION(mean_f32, Mean<float>)
REDUCTION(mean_i32, Mean<int>)
REDUCTION(mean_bool, Mean<Boolean>)
REDUCTION(prod_f32, FloatProduct)
REDUCTION(prod_i32, Product<int, int>)
REDUCTION(prod_bool, Product<Boolean, int>)
REDUCTION(max_f32, Maximum<float, float>)
REDUCTION(max_i32, Maximum<int, int>)
REDUCTION(max_bool, Maximum<Boolean, int, Boolean>)
REDUCTION(min_f32, Minimum<float, float>)
REDUCTION(min_i32, Minimum<int, int>)
REDUCTION(min_bool, Minimum<Boolean, int, Boolean>)

/** A value and its index along the axis. */
template <typename Value>
struct Place {
  Value value;
  int index;
};
template <typename Value>
__device__ inline Place<Value> fromThread(Place<Value> place, int mask) {
  return {fromThread(place.value, mask), fromThread(place.index, mask)};
}

__device__ inline bool isNumber(float value) { return value == value; }
__device__ inline bool isNumber(int) { return true; }

/** Index of the largest or smallest value, the first of several. A NaN counts only in the first position. */
template <typename InputType, typename Value, bool largest>
struct ArgExtreme {
  using Input = InputType;
  using Accumulator = Place<Value>;
  using Result = int;
  static __device__ Value best() { return largest ? Limits<Value>::highest() : Limits<Value>::lowest(); }
  static __device__ Value worst() { return largest ? Limits<Value>::lowest() : Limits<Value>::highest(); }
  static __device__ Accumulator none() { return {worst(), INT32_MAX}; }
  static __device__ Accumulator load(Input input, int index) {
    const Value value = (Value)input;
    return {isNumber(value) ? value : index == 0 ? best() : worst(), index};
  }
  static __device__ Accumulator combine(Accumulator a, Accumulator b) {
    if (a.value == b.value) return a.index < b.index ? a : b;
    return (a.value > b.value) == largest ? a : b;
  }
  static __device__ int finish(Accumulator place, float) { return place.index; }
};

REDUCTION(arg_max_f32, ArgExtreme<float, float, true>)
REDUCTION(arg_max_i32, ArgExtreme<int, int, true>)
REDUCTION(arg_max_bool, ArgExtreme<Boolean, int, true>)
REDUCTION(arg_min_f32, ArgExtreme<float, float, false>)
REDUCTION(arg_min_i32, ArgExtreme<int, int, false>)
REDUCTION(arg_min_bool, ArgExtreme<Boolean, int, false>)
