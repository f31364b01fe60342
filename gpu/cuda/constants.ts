/** Written by scripts/constants.mjs from constants.h: edit that. */

/** Threads that share an edge when its weight is computed. */
export const EDGE_THREADS = 8;

/** Channels per block of a tree scan: a warp takes those of one vertex. */
export const TREE_CHANNELS = 32;

/** What a tree scan sums. */
export const Aggregate = {
  ROOT: 0,
  ALL: 1,
  LEAVES: 2,
} as const;

/** Channels per block of a selective scan, which is one warp, and states per thread in a pass. */
export const SELECTIVE_CHANNELS = 8;
export const SELECTIVE_STATES = 4;

/** Maximum threads of a block that processes a whole image. */
export const IMAGE_THREADS = 1024;
/** Keys that a block of `sort_tiles` sorts in shared memory. */
export const SORT_TILE = 2048;
/** Maximum rounds of Boruvka's algorithm: each at least halves the number of components. */
export const MOST_ROUNDS = 32;
