/**
 * Numbers that kernels and TypeScript share: `node scripts/constants.mjs` writes constants.ts from this file.
 */
#pragma once

/** Threads per block of elementwise kernels, and of kernels that reduce. */
constexpr int THREADS = 256;
/** Threads of a warp. */
constexpr int WARP = 32;

/** Maximum number of axes in the indexing of kernels: adjacent axes are merged where possible. */
constexpr int MAX_AXES = 6;

/** Rows and columns of the sums that a block of TILE_THREADS computes, and terms that it takes at once: tile.h. */
constexpr int TILE = 64;
constexpr int TILE_DEPTH = 16;
constexpr int TILE_THREADS = 256;

/** Columns per block of `row_product`, and threads that share the terms of each. */
constexpr int ROW_COLUMNS = 32;
constexpr int ROW_SLICES = 32;

/** Channels per block of `depthwise_filter_gradient`, and threads that share the positions of each. */
constexpr int DEPTHWISE_CHANNELS = 32;
constexpr int DEPTHWISE_SLICES = 8;

/**
 * Rows and columns of the tiles in which transposes pass through shared memory, and rows that a block reads at once.
 */
constexpr int COPY_TILE = 32;
constexpr int COPY_TILE_ROWS = 8;

/** Activation of an epilogue: epilogue.h. */
enum Activation { LINEAR, RELU, RELU6, ELU, PRELU, LEAKY_RELU, SIGMOID, GELU, SILU };
