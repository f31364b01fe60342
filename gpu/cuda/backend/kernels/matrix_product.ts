/** Computes matrix products with cuBLAS if available, else with the kernels of matrix_product.cu. */
import type { Block } from '../allocator.js';
import { axesArgument, type Layout, padded } from '../broadcast.js';
import type { KernelCall } from '../kernels.js';
import { gridOf } from '../launch.js';
import { ROW_COLUMNS, ROW_SLICES, TILE, TILE_DEPTH, TILE_THREADS } from './constants.js';
import { type Epilogue, epilogueArguments, PLAIN } from './epilogue.js';

/** c[i] = epilogue(a[i] b[i]): float32 matrices of m x k and k x n, row-major or transposed in memory. */
export interface Product {
  readonly a: Block;
  readonly b: Block;
  readonly c: Block;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Elements between consecutive rows of b in memory, if b is a part of a wider matrix. */
  readonly bStride?: number;
  /** Layout of the batch: where matrices of a and b begin. A single matrix by default. */
  readonly batch?: Layout;
  readonly epilogue?: Epilogue;
}

/** At most this many rows leave most of a tile empty. */
const FEW_ROWS = 4;
/** With fewer tiles, long sums are split: about two blocks for each multiprocessor of the largest devices. */
const ENOUGH_TILES = 256;
const SHORTEST_SHARE = 256;
/**
 * Maximum blocks for matrices of a batch and parts of sums: enough to fill the largest devices; kernels loop over the rest.
 */
const MOST_PARTS = 4096;
const SINGLE: Layout = { extents: [], strides: [[], []] };

export function multiply(call: KernelCall, product: Product): void {
  const { a, b, c, m, n, k, batch = SINGLE, epilogue = PLAIN } = product;
  const batches = batch.extents.reduce((size, extent) => size * extent, 1);
  if (m * n * batches === 0) return;
  // A one-row matrix equals its transpose in memory.
  const transposeA = !!product.transposeA && m > 1 && k > 1;
  const transposeB = !!product.transposeB;
  const bStride = product.bStride ?? (transposeB ? k : n);
  if (call.device.hasMatrixLibrary && k > 0 && batch.extents.length <= 1) {
    const [strideA, strideB] = batch.strides.map(([stride = 0]) => stride);
    call.multiply({
      m,
      n,
      k,
      transposeA,
      transposeB,
      a: a.address,
      b: dense(call, b, transposeB ? n : k, transposeB ? k : n, bStride).address,
      c: c.address,
      batches,
      strideA,
      strideB,
      strideC: m * n,
    });
    if (epilogue.bias || epilogue.activation !== 'linear')
      sumShares(call, c, c, m * n * batches, n, 1, epilogue);
    return;
  }
  const layout = [axesArgument(batch.extents), ...batch.strides.map(padded)];
  if (m <= FEW_ROWS && !transposeA && !transposeB) {
    const grid = [Math.ceil(n / ROW_COLUMNS), m, Math.min(MOST_PARTS, batches)] as const;
    call.launch(
      'row_product',
      { blocks: grid, threads: ROW_COLUMNS * ROW_SLICES },
      ...[a, b, bStride, c, m, n, k, batches, ...layout],
      ...epilogueArguments(epilogue),
    );
    return;
  }
  const kernel = `matrix_product_${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}`;
  const sizes = [m, n, k, batches] as const;
  shareOut(call, c, { rows: m, columns: n, terms: k, batches, epilogue }, (to, { shares, terms }, last) => {
    call.launch(
      kernel,
      { blocks: tiles(m, n, Math.min(MOST_PARTS, batches * shares)), threads: TILE_THREADS },
      ...[a, transposeA ? m : k, b, bStride, to, ...sizes, shares, terms, ...layout],
      ...epilogueArguments(last),
    );
  });
}

/** Returns the grid of blocks for the tiles of a matrix. */
export function tiles(rows: number, columns: number, parts: number): readonly [number, number] {
  return [Math.ceil(rows / TILE) * Math.ceil(columns / TILE), parts];
}

/** How the terms of sums are split over blocks. This does not depend on the device, and neither do results. */
export interface Shares {
  readonly shares: number;
  /** Terms of each part; the last one may have fewer. */
  readonly terms: number;
}

export function sharesOf(blocks: number, terms: number, shortest = SHORTEST_SHARE): Shares {
  const most = Math.min(Math.ceil(ENOUGH_TILES / Math.max(1, blocks)), Math.floor(terms / shortest));
  if (most <= 1) return { shares: 1, terms };
  const each = Math.ceil(terms / most / TILE_DEPTH) * TILE_DEPTH;
  return { shares: Math.ceil(terms / each), terms: each };
}

/** Matrices of sums. */
export interface SumsShape {
  readonly rows: number;
  readonly columns: number;
  /** Number of terms of each sum. */
  readonly terms: number;
  readonly batches?: number;
  readonly epilogue?: Epilogue;
}

/**
 * Runs `launch` with enough blocks: if there are few tiles and long sums, for parts of the sums, which it writes one after
 * another to scratch memory. They are added in order afterwards.
 */
export function shareOut(
  call: KernelCall,
  output: Block,
  { rows, columns, terms, batches = 1, epilogue = PLAIN }: SumsShape,
  launch: (to: Block, shares: Shares, epilogue: Epilogue) => void,
): void {
  const shares = sharesOf(Math.ceil(rows / TILE) * Math.ceil(columns / TILE) * batches, terms);
  if (shares.shares === 1) {
    launch(output, shares, epilogue);
    return;
  }
  const size = rows * columns * batches;
  const parts = call.scratch(4 * size * shares.shares);
  launch(parts, shares, PLAIN);
  sumShares(call, parts, output, size, columns, shares.shares, epilogue);
}

/** output = epilogue of the sums of the parts. */
export function sumShares(
  call: KernelCall,
  parts: Block,
  output: Block,
  size: number,
  columns: number,
  shares: number,
  epilogue: Epilogue = PLAIN,
): void {
  const given = [parts, output, size, columns, shares] as const;
  call.launch('sum_shares', gridOf(size), ...given, ...epilogueArguments(epilogue));
}

/** Returns the matrix without gaps between its rows, copied if there are any. */
function dense(call: KernelCall, matrix: Block, rows: number, columns: number, stride: number): Block {
  if (stride === columns) return matrix;
  const size = rows * columns;
  const copy = call.scratch(4 * size);
  call.launch('copy_columns', gridOf(size), matrix, copy, size, columns, stride);
  return copy;
}
