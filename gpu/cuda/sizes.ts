/** Sizes of launches. */
import { type Grid, gridOf, THREADS } from './backend/launch.js';

/** Threads of a warp, which do one row together. */
const LANES = 32;

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
  return gridOf(rows * LANES, THREADS);
}
