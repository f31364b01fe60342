/** Written by scripts/constants.mjs from constants.h: edit that. */

/** Threads per block of elementwise kernels, and of kernels that reduce. */
export const THREADS = 256;
/** Threads of a warp. */
export const WARP = 32;

/** Maximum number of axes in the indexing of kernels: adjacent axes are merged where possible. */
export const MAX_AXES = 6;

/** Rows and columns of the sums that a block of TILE_THREADS computes, and terms that it takes at once: tile.h. */
export const TILE = 64;
export const TILE_DEPTH = 16;
export const TILE_THREADS = 256;

/** Columns per block of `row_product`, and threads that share the terms of each. */
export const ROW_COLUMNS = 32;
export const ROW_SLICES = 32;

/** Channels per block of `depthwise_filter_gradient`, and threads that share the positions of each. */
export const DEPTHWISE_CHANNELS = 32;
export const DEPTHWISE_SLICES = 8;

/**
 * Rows and columns of the tiles in which transposes pass through shared memory, and rows that a block reads at once.
 */
export const COPY_TILE = 32;
export const COPY_TILE_ROWS = 8;

/** Activation of an epilogue: epilogue.h. */
export const Activation = {
  LINEAR: 0,
  RELU: 1,
  RELU6: 2,
  ELU: 3,
  PRELU: 4,
  LEAKY_RELU: 5,
  SIGMOID: 6,
  GELU: 7,
  SILU: 8,
} as const;
