/**
 * Checks the arguments of built-in ops. tfjs-core checks few of them and the GraphModel executor even fewer, and kernels
 * compute addresses from them. Errors get the name of the op where its kernel is called: `within` in kernels.ts.
 */
import { showShape } from '../../../plugin/ops/input_checks.js';

/** Kernels use 32-bit integers. */
const LARGEST_INTEGER = 2 ** 31 - 1;

/**
 * Returns the number of elements of a shape.
 * @param what whose shape it is
 * @throws {Error} unless all extents are non-negative integers.
 */
export function elementsOf(what: string, shape: readonly number[]): number {
  let size = 1;
  for (const extent of shape) {
    if (!(Number.isInteger(extent) && extent >= 0)) {
      throw new Error(`${what} has shape ${showShape(shape)}, expected integers from 0`);
    }
    size *= extent;
  }
  return size;
}

/** @throws {Error} unless there are `count` integers from `least` to `most`, by default the limit of kernels. */
export function checkIntegers(
  name: string,
  values: readonly number[],
  count: number,
  least: number,
  most = LARGEST_INTEGER,
): void {
  const areRight = Array.isArray(values) && values.length === count;
  if (areRight && values.every((value) => Number.isInteger(value) && value >= least && value <= most)) return;
  const given = Array.isArray(values) ? showShape(values) : String(values);
  throw new Error(`${name} is ${given}, expected ${count} integers from ${least} to ${most}`);
}

/** Whether a kernel can take it as an integer. */
export function isInteger(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) <= LARGEST_INTEGER;
}

/** @throws {Error} unless the axes are distinct axes of a tensor of this rank, counted from the first. */
export function checkAxes(name: string, axes: readonly number[], rank: number): void {
  const isRight = (axis: number, i: number) =>
    Number.isInteger(axis) && axis >= 0 && axis < rank && axes.indexOf(axis) === i;
  if (axes.every(isRight)) return;
  throw new Error(`${name} is ${showShape(axes)}, expected different axes from 0 to ${rank - 1}`);
}

/** @throws {Error} unless a tensor has the shape. */
export function checkShape(
  name: string,
  shape: readonly number[],
  expected: readonly (number | undefined)[],
): void {
  const isRight =
    shape.length === expected.length &&
    expected.every((extent, axis) => extent === undefined || extent === shape[axis]);
  if (isRight) return;
  const shown = expected.map((extent) => extent ?? 'any').join(', ');
  throw new Error(`${name} has shape ${showShape(shape)}, expected [${shown}]`);
}

/** @throws {Error} unless there are `count` pairs of non-negative integers. */
export function checkPairs(name: string, pairs: readonly (readonly number[])[], count: number): void {
  if (!Array.isArray(pairs) || pairs.length !== count) {
    throw new Error(`${name} is ${JSON.stringify(pairs)}, expected ${count} pairs`);
  }
  for (const [axis, pair] of pairs.entries()) checkIntegers(`${name}[${axis}]`, pair, 2, 0);
}
