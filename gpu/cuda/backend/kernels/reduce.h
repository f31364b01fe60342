/**
 * Building blocks of reductions. An operation is a struct of the types of an input element, the accumulator and the
 * result, and how they combine: in any order, so that every order that depends only on sizes gives the same bits every
 * time.
 */
#pragma once
#include "scalar_math.h"

constexpr int WARPS = THREADS / WARP;

__device__ inline float plus(float a, float b) { return a + b; }
__device__ inline int plus(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
__device__ inline double times(double a, double b) { return a * b; }
__device__ inline int times(int a, int b) { return (int)((unsigned)a * (unsigned)b); }
__device__ inline int maximum(int a, int b) { return a > b ? a : b; }
__device__ inline int minimum(int a, int b) { return a < b ? a : b; }

template <typename Value>
struct Limits;
template <>
struct Limits<float> {
  static __device__ float lowest() { return -INFINITY; }
  static __device__ float highest() { return INFINITY; }
};
template <>
struct Limits<int> {
  static __device__ int lowest() { return INT32_MIN; }
  static __device__ int highest() { return INT32_MAX; }
};

/** Input elements become `Accumulator`, which becomes `Result`. */
template <typename InputType, typename AccumulatorType, typename ResultType = AccumulatorType>
struct Operation {
  using Input = InputType;
  using Accumulator = AccumulatorType;
  using Result = ResultType;
  static __device__ Accumulator load(Input value, int) { return (Accumulator)value; }
  static __device__ Result finish(Accumulator value, float) { return (Result)value; }
};

#define OPERATION(Name, startValue, combination)                                \
  template <typename Input, typename Value, typename Result = Value>            \
  struct Name : Operation<Input, Value, Result> {                               \
    static __device__ Value none() { return (startValue); }                     \
    static __device__ Value combine(Value a, Value b) { return (combination); } \
  };

OPERATION(Sum, 0, plus(a, b))
OPERATION(Product, 1, times(a, b))
OPERATION(Maximum, Limits<Value>::lowest(), maximum(a, b))
OPERATION(Minimum, Limits<Value>::highest(), minimum(a, b))

template <typename Value>
__device__ inline Value fromThread(Value value, int mask) {
  return __shfl_xor_sync(0xffffffff, value, mask);
}
template <typename Value>
__device__ inline Value fromThreadBefore(Value value, int distance) {
  return __shfl_up_sync(0xffffffff, value, distance);
}

/** A float32 sum and its accumulated rounding error. */
struct Compensated {
  float sum;
  float rest;
};
__device__ inline Compensated fromThread(Compensated value, int mask) {
  return {fromThread(value.sum, mask), fromThread(value.rest, mask)};
}
__device__ inline Compensated fromThreadBefore(Compensated value, int distance) {
  return {fromThreadBefore(value.sum, distance), fromThreadBefore(value.rest, distance)};
}

/**
 * Sums whose terms nearly cancel keep their precision: Knuth's two-sum gives the rounding error of every addition
 * exactly (The Art of Computer Programming 2, 4.2.2, theorem B). Reductions are limited by memory bandwidth, not by
 * these additions.
 */
template <typename InputType>
struct CompensatedSum {
  using Input = InputType;
  using Accumulator = Compensated;
  using Result = float;
  static __device__ Accumulator none() { return {0.0f, 0.0f}; }
  static __device__ Accumulator load(Input value, int) { return {(float)value, 0.0f}; }
  static __device__ Accumulator combine(Accumulator a, Accumulator b) {
    const float sum = __fadd_rn(a.sum, b.sum);
    const float ofB = __fsub_rn(sum, a.sum);
    const float ofA = __fsub_rn(sum, ofB);
    const float lost = __fadd_rn(__fsub_rn(a.sum, ofA), __fsub_rn(b.sum, ofB));
    return {sum, __fadd_rn(lost, __fadd_rn(a.rest, b.rest))};
  }
  /** For an infinite sum the error is NaN. */
  static __device__ float finish(Accumulator value, float) {
    return fabsf(value.sum) < INFINITY ? value.sum + value.rest : value.sum;
  }
};

template <typename Input>
struct Mean : CompensatedSum<Input> {
  static __device__ float finish(Compensated value, float divisor) {
    return CompensatedSum<Input>::finish(value, divisor) / divisor;
  }
};

/** A product's relative error grows with every factor in any order: float64, since there is no such method. */
using FloatProduct = Product<float, double, float>;

/**
 * Combines the values of `sharing` neighbouring threads (a power of two up to 32, or the whole block), and returns the
 * result to all of them. Every thread of the block must call it.
 */
template <typename Op>
__device__ inline typename Op::Accumulator acrossThreads(typename Op::Accumulator mine, int sharing,
                                                         typename Op::Accumulator* perWarp) {
  for (int mask = min(sharing, 32) / 2; mask > 0; mask /= 2) mine = Op::combine(mine, fromThread(mine, mask));
  if (sharing <= 32) return mine;
  __syncthreads();  // perWarp may still be read by the previous call
  if (threadIdx.x % 32 == 0) perWarp[threadIdx.x / 32] = mine;
  __syncthreads();
  mine = perWarp[0];
  for (int warp = 1; warp < WARPS; warp++) mine = Op::combine(mine, perWarp[warp]);
  return mine;
}

/** Combines elements start, start + step, ... below end, which are `stride` apart, as four independent sums. */
template <typename Op>
__device__ inline typename Op::Accumulator gather(const typename Op::Input* __restrict__ x, int start, int end,
                                                  int step, int stride) {
  typename Op::Accumulator sums[4] = {Op::none(), Op::none(), Op::none(), Op::none()};
  int j = start;
  for (; j + 3 * step < end; j += 4 * step) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
      const int at = j + k * step;
      sums[k] = Op::combine(sums[k], Op::load(x[(size_t)at * stride], at));
    }
  }
  for (; j < end; j += step) sums[0] = Op::combine(sums[0], Op::load(x[(size_t)j * stride], j));
  return Op::combine(Op::combine(sums[0], sums[1]), Op::combine(sums[2], sums[3]));
}
