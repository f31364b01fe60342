/**
 * Elementwise functions of dense tensors: a thread processes four neighbours at a time, of 4 bytes in one access of 16,
 * so that enough bytes are in flight to saturate memory bandwidth. Tensors are aligned to more than that.
 */
#pragma once
#include "indexing.h"

template <typename Element>
struct alignas(4 * sizeof(Element)) Four {
  Element at[4];
};

template <typename Element>
__device__ inline Four<Element> fourOf(const Element* x, unsigned i) {
  return reinterpret_cast<const Four<Element>*>(x)[i];
}

/** y[i] = map(x[i]). */
template <typename Input, typename Output, typename Map>
__device__ inline void mapFours(const Input* __restrict__ x, Output* __restrict__ y, unsigned size, Map map) {
  FOR_EACH(i, size / 4) {
    const Four<Input> from = fourOf(x, i);
    Four<Output> to;
#pragma unroll
    for (int k = 0; k < 4; k++) to.at[k] = map(from.at[k]);
    reinterpret_cast<Four<Output>*>(y)[i] = to;
  }
  const unsigned rest = size - size % 4;
  FOR_EACH(i, size % 4) y[rest + i] = map(x[rest + i]);
}

/** y[i] = map(a[i], b[i]). */
template <typename Input, typename Output, typename Map>
__device__ inline void mapFours(const Input* __restrict__ a, const Input* __restrict__ b, Output* __restrict__ y,
                                unsigned size, Map map) {
  FOR_EACH(i, size / 4) {
    const Four<Input> fromA = fourOf(a, i), fromB = fourOf(b, i);
    Four<Output> to;
#pragma unroll
    for (int k = 0; k < 4; k++) to.at[k] = map(fromA.at[k], fromB.at[k]);
    reinterpret_cast<Four<Output>*>(y)[i] = to;
  }
  const unsigned rest = size - size % 4;
  FOR_EACH(i, size % 4) y[rest + i] = map(a[rest + i], b[rest + i]);
}
