/** Written by scripts/constants.mjs from constants.h: edit that. */

/** Threads that share an edge when it is weighed. */
export const EDGE_THREADS = 8;

/** Channels of a block of a tree scan: a warp takes them of one vertex. */
export const TREE_CHANNELS = 32;

/** What a tree scan sums. */
export const Aggregate = {
  ROOT: 0,
  ALL: 1,
  LEAVES: 2,
} as const;

/** Channels of a block of a selective scan, which is one warp, and states of a thread in a pass. */
export const SELECTIVE_CHANNELS = 8;
export const SELECTIVE_STATES = 4;

/** Most threads of a block that does a whole image. */
export const IMAGE_THREADS = 1024;
/** Keys that a block of `sort_tiles` sorts in shared memory. */
export const SORT_TILE = 2048;
/** Most rounds of Boruvka's algorithm: each halves the number of components at least. */
export const MOST_ROUNDS = 32;
