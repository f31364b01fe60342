/**
 * Included by every .cu file. A kernel is written once: nvcc compiles it to device code, the host compiler to a
 * function that the emulator runs thread by thread.
 *
 *   KERNEL(scale, 256, float* out, const float* in, float factor, int size) { ... }
 *
 * defines `scale`, launched by that name with at most 256 threads per block. Parameters are pointers, int, unsigned,
 * float, 64-bit numbers, or plain structs of them. OCCUPANCY(256, 5) instead of 256 makes the compiler limit registers
 * so that 5 blocks fit on a multiprocessor.
 */
#pragma once

#include "constants.h"

#ifdef __CUDACC__

#include <cstdint>

#define OCCUPANCY(maxThreads, blocks) maxThreads, blocks

#define KERNEL(name, maxThreads, ...) extern "C" __global__ void __launch_bounds__(maxThreads) name(__VA_ARGS__)

/** In the body of a kernel: `name`, a pointer to the dynamic shared memory of the block, aligned to 16 bytes. */
#define DYNAMIC_SHARED(type, name)                               \
  extern __shared__ __align__(16) unsigned char dynamicShared[]; \
  type* const name = reinterpret_cast<type*>(dynamicShared)

#else

#define OCCUPANCY(maxThreads, blocks) maxThreads

#define KERNEL(name, maxThreads, ...)                                                                   \
  static void name(__VA_ARGS__);                                                                        \
  static const emulator::Registration registrationOf_##name{#name, maxThreads, emulator::Call<name>{}}; \
  static void name(__VA_ARGS__)

#define DYNAMIC_SHARED(type, name) type* const name = reinterpret_cast<type*>(emulator::dynamicShared)

#endif
