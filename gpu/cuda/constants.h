/**
 * Numbers that the kernels of our ops and TypeScript share: `node scripts/constants.mjs` writes constants.ts from it.
 */
#pragma once

/** Threads that share an edge when its weight is computed. */
constexpr int EDGE_THREADS = 8;

/** Channels per block of a tree scan: a warp takes those of one vertex. */
constexpr int TREE_CHANNELS = 32;

/** What a tree scan sums. */
enum Aggregate { ROOT, ALL, LEAVES };

/** Channels per block of a selective scan, which is one warp, and states per thread in a pass. */
constexpr int SELECTIVE_CHANNELS = 8;
constexpr int SELECTIVE_STATES = 4;

/** Maximum threads of a block that processes a whole image. */
constexpr int IMAGE_THREADS = 1024;
/** Keys that a block of `sort_tiles` sorts in shared memory. */
constexpr int SORT_TILE = 2048;
/** Maximum rounds of Boruvka's algorithm: each at least halves the number of components. */
constexpr int MOST_ROUNDS = 32;
