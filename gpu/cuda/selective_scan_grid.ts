/** Blocks of selective scans: see selective_scan.cu. */

/** Threads of a block: one warp, so that a single text spreads over as many multiprocessors as it can. */
export const THREADS = 32;
/** Channels of a block. */
export const CHANNELS = 8;
