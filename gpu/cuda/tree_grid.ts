/** Blocks of tree scans, and the ring buffer for their state: see tree_scan.h. */
import type { KernelCall } from './backend/kernels.js';
import type { Grid } from './backend/launch.js';
import { TREE_CHANNELS } from './constants.js';

const FLOAT_BYTES = 4;
/** In trees of at most this many vertices, levels are narrow enough for four warps. */
const SMALL_TREE = 1024;
/** Vertices in the smallest ring buffer. */
const SMALLEST_RING = 32;

/** Launch parameters of a kernel of tree_scan.h. */
export interface TreeLaunch {
  /** Suffix of the kernel's name. */
  readonly suffix: '_4' | '_8' | '_16';
  readonly grid: Grid;
  /** Vertices in the ring buffer: a power of two. */
  readonly ringRows: number;
}

/**
 * Levels of a tree over a grid are hardly wider than its side, and the ring buffer holds two. Trees with wider levels take
 * another path in the kernel, so the launch does not depend on the tree.
 * @param shape [B, V, D]
 * @param states floats that a scan passes on for each vertex and channel
 */
export function treeLaunch(
  call: KernelCall,
  [batch, numVertices, channels]: readonly number[],
  states: number,
): TreeLaunch {
  const blocks = batch * Math.ceil(channels / TREE_CHANNELS);
  const { multiprocessors, sharedBytesPerBlock } = call.device.description;
  const warps = blocks <= multiprocessors ? 16 : numVertices <= SMALL_TREE ? 4 : 8;
  const rowBytes = FLOAT_BYTES * states * TREE_CHANNELS;
  const room = 2 ** Math.floor(Math.log2(sharedBytesPerBlock / rowBytes));
  const sides = 2 ** Math.ceil(Math.log2(2 * Math.sqrt(numVertices)));
  const ringRows = Math.min(room, Math.max(SMALLEST_RING, sides));
  return {
    suffix: `_${warps}`,
    grid: { blocks, threads: [TREE_CHANNELS, warps], sharedBytes: rowBytes * ringRows },
    ringRows,
  };
}
