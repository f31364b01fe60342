/** Shapes and strides in the form that kernels use for indexing: see kernels/indexing.h. */
import { MAX_AXES } from './kernels/constants.js';

/** Extents of an output and, for each input, its strides along them, last axis first. */
export interface Layout {
  readonly extents: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * Computes the layout of inputs over an output. Adjacent axes along which every input is dense, or has stride 0, are merged.
 * @param extents of the output, first axis first
 * @param strides of each input along them
 */
export function layoutOf(extents: readonly number[], strides: readonly (readonly number[])[]): Layout {
  const merged: { extent: number; strides: number[] }[] = [];
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    const extent = extents[axis];
    if (extent === 1) continue;
    const here = strides.map((stride) => stride[axis]);
    const last = merged.at(-1);
    if (last && here.every((stride, i) => stride === last.strides[i] * last.extent)) last.extent *= extent;
    else merged.push({ extent, strides: here });
  }
  return {
    extents: merged.map(({ extent }) => extent),
    strides: strides.map((_, i) => merged.map((axis) => axis.strides[i])),
  };
}

/** Strides of a dense tensor, first axis first. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Strides of a tensor along the axes of the shape that it is broadcast to: 0 along broadcast axes. */
export function broadcastStrides(shape: readonly number[], to: readonly number[]): number[] {
  const dense = denseStrides(shape);
  const added = to.length - shape.length;
  return to.map((_, axis) => (axis < added || shape[axis - added] === 1 ? 0 : dense[axis - added]));
}

/** The struct `Axes` as an argument. */
export function axesArgument(extents: readonly number[]): number[] {
  return [extents.length, ...padded(extents)];
}

/** The struct `Strides` as an argument. */
export function padded(values: readonly number[]): number[] {
  return Array.from({ length: MAX_AXES }, (_, i) => values[i] ?? 0);
}
