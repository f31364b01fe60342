/** WGSL of orders and sorting, for workgroups of `LANES` invocations. */

/** Maps the bits of floats to integers of the same order: -0 equals +0, NaN comes after +Infinity and equals itself. */
export const ORDERED = `
fn ordered(bits: u32) -> u32 {
  let size = bits & 0x7fffffff;
  if (size > 0x7f800000) { return 0xffffffff; }
  if (bits == size || size == 0) { return size | 0x80000000; }
  return ~bits;
}
`;

/**
 * Sorts with `sortPair(first, second)`, which orders two elements, and `sync()`, a barrier: a bitonic network for any size,
 * whose first step of a merge compares mirrored positions.
 */
export const SORT_RANGE = `
fn sortRange(lane: u32, first: u32, size: u32) {
  for (var half = 1u; half < size; half *= 2) {
    for (var i = lane; i < size; i += LANES) {
      let mirrored = (i | (2 * half - 1)) - (i & (2 * half - 1));
      if (i < mirrored && mirrored < size) { sortPair(first + i, first + mirrored); }
    }
    sync();
    for (var distance = half / 2; distance > 0; distance /= 2) {
      for (var i = lane; i < size; i += LANES) {
        let other = i | distance;
        if (i != other && other < size) { sortPair(first + i, first + other); }
      }
      sync();
    }
  }
}
`;
