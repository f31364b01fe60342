/**
 * Replaces CUDA's built-in names on the host: those that the kernels of this folder may use, as defined in the CUDA C++
 * Programming Guide (sections "C++ Language Extensions" and "Mathematical Functions").
 *
 * Threads of a block take turns on one host thread, from barrier to barrier, and blocks run one after another: atomics
 * are plain operations, and a thread that spins until another has done something never ends.
 */
#pragma once

// Kernels are compiled inside a namespace, so standard headers that they may include must be included before.
#include <math.h>

#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "vectors.h"

#define __device__
#define __host__
#define __global__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
/**
 * One section, so that the runtime can fill it with garbage. Blocks run one after another, so static storage suffices.
 */
#define __shared__ static __attribute__((section("grootvl_shared")))

#define HIDDEN __attribute__((visibility("hidden")))

extern HIDDEN uint3 threadIdx;
extern HIDDEN uint3 blockIdx;
extern HIDDEN dim3 blockDim;
extern HIDDEN dim3 gridDim;
constexpr int warpSize = 32;

namespace emulator {

extern HIDDEN unsigned char* dynamicShared;

/** The calls at which threads wait for each other. All threads that meet must make the same call. */
enum class Barrier : uint8_t { kThreads, kThreadsOr, kThreadsAnd, kThreadsCount, kWarp, kShuffle, kBallot };

/** Waits for the block. @returns how many threads passed a true predicate */
HIDDEN int waitForBlock(Barrier barrier, bool predicate);

/** Waits for the lanes of `mask`. @returns the value that lane `source` passed: garbage if it is not one of them */
HIDDEN uint64_t waitForWarp(Barrier barrier, unsigned mask, uint64_t value, int source);

HIDDEN int laneIndex();

/** Calls a kernel with parameters read from packed bytes, each at the next multiple of its own alignment. */
template <auto kernel>
struct Call;

template <typename... Parameters, void (*kernel)(Parameters...)>
struct Call<kernel> {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "kernels take plain data");

  /** Offset of parameter `index`; for the number of parameters, the end of the last one. */
  static constexpr size_t offset(size_t index) {
    constexpr size_t sizes[] = {sizeof(Parameters)..., 0};
    constexpr size_t alignments[] = {alignof(Parameters)..., 1};
    size_t end = 0;
    for (size_t i = 0;; ++i) {
      const size_t start = (end + alignments[i] - 1) / alignments[i] * alignments[i];
      if (i == index) return start;
      end = start + sizes[i];
    }
  }

  template <size_t... indices>
  static void unpack(const uint8_t* arguments, std::index_sequence<indices...>) {
    kernel(*reinterpret_cast<const std::remove_cv_t<Parameters>*>(arguments + offset(indices))...);
  }

  static void run(const uint8_t* arguments) { unpack(arguments, std::index_sequence_for<Parameters...>{}); }
  static constexpr size_t argumentSize() { return offset(sizeof...(Parameters)); }
};

HIDDEN void registerKernel(const char* name, int maxThreads, size_t argumentSize, void (*call)(const uint8_t*));

struct Registration {
  template <typename Caller>
  Registration(const char* name, int maxThreads, Caller) {
    registerKernel(name, maxThreads, Caller::argumentSize(), Caller::run);
  }
};

}  // namespace emulator

#include "intrinsics.h"
