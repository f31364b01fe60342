/** Test kernels: they check that a device, or its emulation, behaves as kernels require. */
#include "kernel.h"

struct Pair {
  short first;
  double second;
};

/** Every kind of parameter. */
KERNEL(probe_parameters, 32, float* numbers, long long* wide, int small, float real, unsigned char byte, Pair pair,
       double exact, unsigned count) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  numbers[i] = real + small + byte;
  wide[i] = (long long)(pair.first + pair.second + exact) + i;
}

/** The position of each thread: out[i] = block * 10000 + thread, for grids and blocks of several axes. */
KERNEL(probe_positions, 1024, int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y + thread] = block * 10000 + thread;
}

/** Each block writes its inclusive prefix sums: two rows of dynamic shared memory, a barrier after each step. */
KERNEL(probe_prefix_sums, 1024, const int* in, int* out) {
  DYNAMIC_SHARED(int, rows);
  const unsigned size = blockDim.x;
  const unsigned first = blockIdx.x * size;
  int* from = rows;
  int* to = rows + size;
  from[threadIdx.x] = in[first + threadIdx.x];
  for (unsigned step = 1; step < size; step *= 2) {
    __syncthreads();
    to[threadIdx.x] = from[threadIdx.x] + (threadIdx.x < step ? 0 : from[threadIdx.x - step]);
    int* const swap = from;
    from = to;
    to = swap;
  }
  out[first + threadIdx.x] = from[threadIdx.x];
}

/** One warp: the result of each kind of exchange in each lane, ten rows of 32. */
KERNEL(probe_warp, 32, double* out) {
  const unsigned all = 0xffffffff;
  const int lane = threadIdx.x;
  out[lane] = __shfl_sync(all, lane, 5);
  out[32 + lane] = __shfl_up_sync(all, (float)lane, 3);
  out[64 + lane] = __shfl_down_sync(all, (double)lane, 4, 8);
  out[96 + lane] = __shfl_xor_sync(all, (unsigned)lane, 17);
  out[128 + lane] = (double)__shfl_sync(all, (long long)lane << 40, lane + 1);
  out[160 + lane] = __ballot_sync(all, lane % 3 == 0);
  out[192 + lane] = __any_sync(all, lane == 7) + 2 * __any_sync(all, lane > 31);
  out[224 + lane] = __all_sync(all, lane < 32) + 2 * __all_sync(all, lane != 9);
  // Half of the warp by itself.
  int sum = lane;
  if (lane < 16) {
    for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(0xffff, sum, step);
  }
  __syncwarp();
  out[256 + lane] = sum;
  out[288 + lane] = __popc(lane) + 10 * __clz(lane) + 1000 * __ffs(lane);
}

/** Results of atomics over all threads: counts, extremes, and the votes of blocks. */
KERNEL(probe_atomics, 256, int* integers, unsigned long long* wide, float* real, double* exact) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&sum, i);
  __syncthreads();
  const int even = __syncthreads_count(i % 2 == 0);
  const int some = __syncthreads_or(i == 3);
  const int all = __syncthreads_and(i >= 256);
  if (threadIdx.x == 0) {
    atomicAdd(&integers[0], sum);
    atomicAdd(&integers[1], even + 1000 * some + 10000 * all);
  }
  atomicMin(&integers[2], -i);
  atomicMax(&integers[3], i);
  atomicOr(&integers[4], 1 << (i % 31));
  atomicMin(wide, ((unsigned long long)(i ^ 77) << 32) | i);
  atomicAdd(real, 0.5f);
  atomicAdd(exact, 0.25);
  if (atomicCAS(&integers[5], 0, 1) == 0) atomicExch(&integers[6], 42);
}

/** Initial contents of the shared memory of a block: whether any word of it is 0. Neither is guaranteed. */
KERNEL(probe_shared_memory, 64, int* zeros, int words) {
  DYNAMIC_SHARED(int, memory);
  __shared__ int fixed[64];
  if (fixed[threadIdx.x] == 0) atomicAdd(zeros, 1);
  for (int i = threadIdx.x; i < words; i += blockDim.x) {
    if (memory[i] == 0) atomicAdd(zeros, 1);
    memory[i] = 0;
  }
  fixed[threadIdx.x] = 0;
}

/** A mistake for every value of `mistake`: threads that end before a barrier, two barriers, a write out of bounds. */
KERNEL(probe_mistakes, 64, int* out, int size, int mistake) {
  DYNAMIC_SHARED(int, memory);
  if (mistake == 1 && threadIdx.x >= 60) return;
  if (mistake == 2 && threadIdx.x < 2) {
    __syncthreads_or(1);
  } else if (mistake != 3 || threadIdx.x % 32 > 4) {
    __syncthreads();
  } else {
    __syncwarp();
  }
  if (mistake == 4) out[size] = 1;
  if (mistake == 5) memory[0] = 1;
}

/** Every explicitly named rounding. */
KERNEL(probe_rounding, 32, const float* x, float* out, double* exact, unsigned count) {
  const unsigned i = threadIdx.x;
  if (i >= count) return;
  out[4 * i] = __fadd_rn(__fmul_rn(x[i], x[i]), -1.0f);
  out[4 * i + 1] = __fdiv_rn(1.0f, x[i]);
  out[4 * i + 2] = __fsqrt_rn(x[i]);
  out[4 * i + 3] = __int_as_float(__float_as_int(x[i]) ^ 1);
  exact[i] = __dsqrt_rn(__ddiv_rn(__dadd_rn(__dmul_rn(x[i], x[i]), 1.0), 3.0));
}

#ifndef __CUDACC__

/**
 * A race for every value of `race`, 0 for none: for the race checks of the emulation. `out` has a word for each thread
 * of the grid, and one more. Run with at least two blocks of 64 threads.
 */
KERNEL(probe_races, 64, int* out, int race) {
  __shared__ int row[64];
  const int i = threadIdx.x, next = (i + 1) % 64;
  const int place = blockIdx.x * 64 + i;
  row[i] = i;
  if (race != 1) __syncthreads();
  int value = row[next];
  if (race != 2) __syncthreads();
  row[i] = value;
  if (race == 3) row[0] = i;
  out[place] = value;
  if (race == 4) out[0] = 1;
  if (race == 5) out[place] = out[place + 1];
  if (race == 6 && i == 0) atomicAdd(&out[1], 1);
  if (race == 7) reinterpret_cast<unsigned char*>(row)[i / 2] = 1;
  if (race == 8 && i == 0 && blockIdx.x > 0) *(volatile int*)&out[0] = 1;
}

/**
 * Accesses that resemble races but are not. `out` has a word for each thread of the grid, and two more, for all blocks.
 */
KERNEL(probe_no_races, 64, int* out) {
  DYNAMIC_SHARED(int, memory);
  __shared__ unsigned char bytes[64];
  const int i = threadIdx.x, next = (i + 1) % 64;
  int* const all = out + gridDim.x * 64;
  bytes[i] = i;
  memory[i] = i;
  int local[4] = {i, next, 0, 0};
  for (int step = 0; step < 3; ++step) {
    const int value = __syncthreads_or(0) + memory[next] + bytes[next];
    local[value % 4] += value;
    __syncthreads();
    memory[i] = value;
  }
  out[blockIdx.x * 64 + i] = local[i % 4] + out[blockIdx.x * 64 + i];
  atomicAdd(&all[0], 1);
  if (*(volatile int*)&all[1] == 0) *(volatile int*)&all[1] = 1;
}

#endif
