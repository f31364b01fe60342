// Numbers that kernels and TypeScript share: `node scripts/constants.mjs` writes constants.ts from this file.
#pragma once

/** Numbers of a vector. */
constexpr int LANES = 4;

/** Columns of a panel of packed weights. */
constexpr int PANEL = 8;
/** Rows of a tile of sums. */
constexpr int TILE = 4;

/** Vectors of scratch memory of a selective scan for each token, beside the gates. */
constexpr int SCAN_VECTORS = 7;
/** Bytes of an edge of a tree of tokens. */
constexpr int EDGE_BYTES = 8;

/** What is applied to the sums of a matrix product or a convolution. */
enum Activation { NONE, GELU, SILU, RELU };

/** Of edge weights. */
enum Metric { COSINE, EUCLIDEAN, MANHATTAN };

/** Of tree scans. */
enum Aggregate { ROOT, ALL, LEAVES };

/** Sizes of a convolution. */
constexpr int WINDOW_SIZES = 15;
