/** Sizes of launches. */
import { WARP } from './backend/kernels/constants.js';
import { type Grid, gridOf } from './backend/launch.js';

/** A grid with a warp for each row: see rows.h. */
export function gridOfRows(rows: number): Grid {
  return gridOf(rows * WARP);
}
