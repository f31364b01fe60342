/**
 * CUDA's device functions for the CPU: barriers, warps, atomics, bits, rounding. Only those that kernels use; add
 * missing ones. Included by emulator.h.
 */
#pragma once

// Barriers.

inline void __syncthreads() { emulator::waitForBlock(emulator::Barrier::kThreads, false); }
inline int __syncthreads_or(int predicate) {
  return emulator::waitForBlock(emulator::Barrier::kThreadsOr, predicate != 0) > 0;
}
inline int __syncthreads_and(int predicate) {
  return emulator::waitForBlock(emulator::Barrier::kThreadsAnd, predicate == 0) == 0;
}
inline int __syncthreads_count(int predicate) {
  return emulator::waitForBlock(emulator::Barrier::kThreadsCount, predicate != 0);
}
inline void __syncwarp(unsigned mask = 0xffffffff) { emulator::waitForWarp(emulator::Barrier::kWarp, mask, 0, 0); }
inline void __threadfence() {}
inline void __threadfence_block() {}

// Warps: `width` lanes, a power of two, shuffle among themselves.

namespace emulator {

template <typename Value>
Value shuffle(unsigned mask, Value value, int source) {
  static_assert(sizeof(Value) == 4 || sizeof(Value) == 8, "a shuffle moves 32 or 64 bits");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = waitForWarp(Barrier::kShuffle, mask, bits, source);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emulator

template <typename Value>
Value __shfl_sync(unsigned mask, Value value, int source, int width = warpSize) {
  const int first = emulator::laneIndex() & -width;
  return emulator::shuffle(mask, value, first + (source & (width - 1)));
}
template <typename Value>
Value __shfl_up_sync(unsigned mask, Value value, unsigned delta, int width = warpSize) {
  const int lane = emulator::laneIndex();
  const int source = lane - static_cast<int>(delta);
  return emulator::shuffle(mask, value, source < (lane & -width) ? lane : source);
}
template <typename Value>
Value __shfl_down_sync(unsigned mask, Value value, unsigned delta, int width = warpSize) {
  const int lane = emulator::laneIndex();
  const int source = lane + static_cast<int>(delta);
  return emulator::shuffle(mask, value, source >= (lane & -width) + width ? lane : source);
}
template <typename Value>
Value __shfl_xor_sync(unsigned mask, Value value, int laneMask, int width = warpSize) {
  const int lane = emulator::laneIndex();
  const int source = lane ^ laneMask;
  return emulator::shuffle(mask, value, source >= (lane & -width) + width ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return static_cast<unsigned>(emulator::waitForWarp(emulator::Barrier::kBallot, mask, predicate != 0, 0));
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate == 0) == 0; }

// Atomics: one thread runs at a time. Each returns the previous value. Volatile lets races.h recognise them.

#define DEFINE_ATOMIC(name, type, expression)   \
  inline type name(type* address, type value) { \
    volatile type& word = *address;             \
    const type old = word;                      \
    word = (expression);                        \
    return old;                                 \
  }
#define DEFINE_INTEGER_ATOMICS(type)                                \
  DEFINE_ATOMIC(atomicAdd, type, old + value)                       \
  DEFINE_ATOMIC(atomicMin, type, value < old ? value : old)         \
  DEFINE_ATOMIC(atomicMax, type, value > old ? value : old)         \
  DEFINE_ATOMIC(atomicExch, type, value)                            \
  DEFINE_ATOMIC(atomicAnd, type, old& value)                        \
  DEFINE_ATOMIC(atomicOr, type, old | value)                        \
  DEFINE_ATOMIC(atomicXor, type, old ^ value)                       \
  inline type atomicCAS(type* address, type expected, type value) { \
    volatile type& word = *address;                                 \
    const type old = word;                                          \
    if (old == expected) word = value;                              \
    return old;                                                     \
  }

DEFINE_INTEGER_ATOMICS(int)
DEFINE_INTEGER_ATOMICS(unsigned)
DEFINE_INTEGER_ATOMICS(unsigned long long)
DEFINE_ATOMIC(atomicAdd, float, old + value)
DEFINE_ATOMIC(atomicAdd, double, old + value)
DEFINE_ATOMIC(atomicSub, int, old - value)
DEFINE_ATOMIC(atomicSub, unsigned, old - value)
DEFINE_ATOMIC(atomicExch, float, value)
#undef DEFINE_INTEGER_ATOMICS
#undef DEFINE_ATOMIC

// Bits.

inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }

namespace emulator {

template <typename To, typename From>
To bitsOf(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same number of bits");
  To bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

}  // namespace emulator

inline int __float_as_int(float value) { return emulator::bitsOf<int>(value); }
inline unsigned __float_as_uint(float value) { return emulator::bitsOf<unsigned>(value); }
inline float __int_as_float(int value) { return emulator::bitsOf<float>(value); }

// Rounding to nearest. The kernels are compiled with -ffp-contract=off, so that none of these becomes part of an fma.

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline float __double2float_rn(double a) { return static_cast<float>(a); }

// CUDA functions that <math.h> lacks.

#define DEFINE_MINIMUM(type)                                   \
  constexpr type min(type a, type b) { return b < a ? b : a; } \
  constexpr type max(type a, type b) { return a < b ? b : a; }
DEFINE_MINIMUM(int)
DEFINE_MINIMUM(unsigned)
DEFINE_MINIMUM(long)
DEFINE_MINIMUM(unsigned long)
DEFINE_MINIMUM(long long)
DEFINE_MINIMUM(unsigned long long)
#undef DEFINE_MINIMUM
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
