/** Written by scripts/constants.mjs from constants.h: edit that. */

/** Lanes of a vector. */
export const LANES = 4;

/** Columns per panel of packed weights. */
export const PANEL = 8;
/** Rows per tile of sums. */
export const TILE = 4;

/** Rows per iteration of SelectiveDiscretize: whole tiles of four and of six. */
export const DISCRETIZED_ROWS = 12;

/** Vectors of scratch memory of a selective scan per token, in addition to the gates. */
export const SCAN_VECTORS = 7;
/** Bytes of an edge of a tree of tokens. */
export const EDGE_BYTES = 8;

/** Activation applied to the sums of a matrix product or a convolution. */
export const Activation = {
  NONE: 0,
  GELU: 1,
  SILU: 2,
  RELU: 3,
} as const;

/** Metric of edge weights. */
export const Metric = {
  COSINE: 0,
  EUCLIDEAN: 1,
  MANHATTAN: 2,
} as const;

/** Aggregates of tree scans. */
export const Aggregate = {
  ROOT: 0,
  ALL: 1,
  LEAVES: 2,
} as const;
