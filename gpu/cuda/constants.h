/**
 * Numbers that kernels of our ops and TypeScript share: `node scripts/constants.mjs` writes constants.ts from it.
 */
#pragma once

/** Threads that share an edge when it is weighed. */
constexpr int EDGE_THREADS = 8;

/** Channels of a block of a tree scan: a warp takes them of one vertex. */
constexpr int TREE_CHANNELS = 32;

/** What a tree scan sums. */
enum Aggregate { ROOT, ALL, LEAVES };

/** Channels of a block of a selective scan, which is one warp, and states of a thread in a pass. */
constexpr int SELECTIVE_CHANNELS = 8;
constexpr int SELECTIVE_STATES = 4;

/** Most threads of a block that does a whole image. */
constexpr int IMAGE_THREADS = 1024;
/** Keys that a block of `sort_tiles` sorts in shared memory. */
constexpr int SORT_TILE = 2048;
/** Most rounds of Boruvka's algorithm: each halves the number of components at least. */
constexpr int MOST_ROUNDS = 32;
