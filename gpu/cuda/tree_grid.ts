/** Blocks of tree scans, and the ring in which they keep their state: see tree_scan.h. */
import type { KernelCall } from './backend/kernels.js';
import type { Grid } from './backend/launch.js';
import { TREE_CHANNELS } from './constants.js';

const FLOAT_BYTES = 4;
/** Trees of at most this many vertices have levels that four warps are enough for. */
const SMALL_TREE = 1024;
/** Vertices of the smallest ring. */
const SMALLEST_RING = 32;

/** How to launch a kernel of tree_scan.h. */
export interface TreeLaunch {
  /** The end of the kernel's name. */
  readonly suffix: '_4' | '_8' | '_16';
  readonly grid: Grid;
  /** Vertices that the ring has room for: a power of two. */
  readonly ringRows: number;
}

/**
 * Levels of a tree that spans a grid are hardly wider than its side, and the ring holds two. A tree with wider ones is
 * scanned by another way, so nothing here depends on what is in it.
 * @param shape [B, V, D]
 * @param states floats that a scan hands on for each vertex and channel
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
