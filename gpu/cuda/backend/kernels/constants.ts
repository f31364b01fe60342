/** Written by scripts/constants.mjs from constants.h: edit that. */

/** Threads of a block where every thread does the same to its own elements, and of a block that reduces. */
export const THREADS = 256;
/** Threads of a warp. */
export const WARP = 32;

/** Most axes of a tensor that kernels index by: adjacent axes that can be one are one. */
export const MAX_AXES = 6;

/** Rows and columns of the sums that a block of TILE_THREADS makes, and terms that it takes at once: tile.h. */
export const TILE = 64;
export const TILE_DEPTH = 16;
export const TILE_THREADS = 256;

/** Columns of a block of `row_product`, and threads that share the terms of each. */
export const ROW_COLUMNS = 32;
export const ROW_SLICES = 32;

/** Channels of a block of `depthwise_filter_gradient`, and threads that share the positions of each. */
export const DEPTHWISE_CHANNELS = 32;
export const DEPTHWISE_SLICES = 8;

/** Rows and columns of the tiles in which transposes go through shared memory, and rows that a block reads at once. */
export const COPY_TILE = 32;
export const COPY_TILE_ROWS = 8;

/** What an epilogue applies: epilogue.h. */
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
