/**
 * Sorting by Batcher's bitonic network (K. E. Batcher, "Sorting networks and their applications", 1968). The first step
 * of every merge compares mirrored positions instead of reversing half of the keys: then every comparison puts the
 * smaller key first, and keys beyond the end, which count as larger than all, need not exist.
 */
#pragma once

/** The lower position of the comparison numbered `pair` between positions `distance` apart, a power of two. */
__device__ inline unsigned lowerPlace(unsigned pair, unsigned distance) {
  return ((pair & ~(distance - 1)) << 1) | (pair & (distance - 1));
}

__device__ inline unsigned upperPlace(unsigned lower, unsigned distance, bool mirrored) {
  return mirrored ? lower ^ (2 * distance - 1) : lower + distance;
}

template <typename Key>
__device__ inline void sortPair(Key* keys, unsigned lower, unsigned upper) {
  const Key a = keys[lower], b = keys[upper];
  if (b < a) {
    keys[lower] = b;
    keys[upper] = a;
  }
}

/** One step of the network, by all threads of a block. */
template <typename Key>
__device__ inline void sortStep(Key* keys, unsigned size, unsigned distance, bool mirrored) {
  for (unsigned pair = threadIdx.x;; pair += blockDim.x) {
    const unsigned lower = lowerPlace(pair, distance);
    if (lower >= size) break;
    const unsigned upper = upperPlace(lower, distance, mirrored);
    if (upper < size) sortPair(keys, lower, upper);
  }
  __syncthreads();
}

/** Steps of half the distance, a quarter and so on, after the first step of a merge. */
template <typename Key>
__device__ inline void finishMerge(Key* keys, unsigned size, unsigned distance) {
  for (distance /= 2; distance > 0; distance /= 2) sortStep(keys, size, distance, false);
}

/** Sorts runs of `most` keys, a power of two, or all. The keys are visible to the block, before and after. */
template <typename Key>
__device__ inline void sortByBlock(Key* keys, unsigned size, unsigned most = 1u << 31) {
  for (unsigned distance = 1; distance < size && distance < most; distance *= 2) {
    sortStep(keys, size, distance, true);
    finishMerge(keys, size, distance);
  }
}
