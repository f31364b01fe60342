// Numbers that kernels and TypeScript share: `node scripts/constants.mjs` writes constants.ts from this file.
#pragma once

/** Lanes of a vector. */
constexpr int LANES = 4;

/** Columns per panel of packed weights. */
constexpr int PANEL = 8;
/** Rows per tile of sums. */
constexpr int TILE = 4;

/** Rows per iteration of SelectiveDiscretize: whole tiles of four and of six. */
constexpr int DISCRETIZED_ROWS = 12;

/** Vectors of scratch memory of a selective scan per token, in addition to the gates. */
constexpr int SCAN_VECTORS = 7;
/** Bytes of an edge of a tree of tokens. */
constexpr int EDGE_BYTES = 8;

/** Activation applied to the sums of a matrix product or a convolution. */
enum Activation { NONE, GELU, SILU, RELU };

/** Metric of edge weights. */
enum Metric { COSINE, EUCLIDEAN, MANHATTAN };

/** Aggregates of tree scans. */
enum Aggregate { ROOT, ALL, LEAVES };
