/** Blocks of tree scans, and where they keep their state: see tree_scan.h. */
import type { Block } from './backend/allocator.js';
import type { KernelCall } from './backend/kernels.js';
import type { Grid } from './backend/launch.js';
import { TREE_CHANNELS, TREE_ROWS } from './constants.js';

/**
 * @param shape [B, V, D]
 * @param states floats that a scan keeps of every vertex and channel
 * @returns the grid; and memory for the state of all blocks, or null where shared memory does
 */
export function treeGrid(
  call: KernelCall,
  [batch, numVertices, channels]: readonly number[],
  states: number,
): { grid: Grid; memory: Block | null } {
  const blocks = batch * Math.ceil(channels / TREE_CHANNELS);
  const stateBytes = 4 * states * numVertices * TREE_CHANNELS;
  const isShared = stateBytes <= call.device.description.sharedBytesPerBlock;
  return {
    grid: { blocks, threads: [TREE_CHANNELS, TREE_ROWS], sharedBytes: isShared ? stateBytes : 0 },
    memory: isShared ? null : call.scratch(blocks * stateBytes),
  };
}
