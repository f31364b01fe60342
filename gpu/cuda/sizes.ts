/** Sizes of launches. */
import { WARP } from './backend/kernels/constants.js';
import { type Grid, gridOf } from './backend/launch.js';

/** Elements of a tensor. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Rows of a tensor with channels last. */
export function rowsOf(shape: readonly number[]): number {
  return sizeOf(shape.slice(0, -1));
}

/** A grid with a warp for each row: see rows.h. */
export function gridOfRows(rows: number): Grid {
  return gridOf(rows * WARP);
}
