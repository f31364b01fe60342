/** Sizes of tensors with channels last. */

/** Elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Rows: all axes but the last. */
export function rowsOf(shape: readonly number[]): number {
  return sizeOf(shape.slice(0, -1));
}
