/** Copies elements over any axes and strides: strided_copy.cu. */
import { type DataType, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { elementBytes } from '../backend.js';
import { axesArgument, denseStrides, type Layout, layoutOf, padded } from '../broadcast.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { COPY_TILE, COPY_TILE_ROWS, MAX_AXES } from './constants.js';
import { SUFFIXES } from './unary.js';

/**
 * Registers an op that rearranges the elements of its input, of any type on the device.
 * @param rearrange returns the result, or undefined if the kernels do not support it; it may be the input in another shape
 */
export function registerRearrangement<Attributes>(
  op: string,
  rearrange: (call: KernelCall, x: TensorInfo, attributes: Attributes) => TensorInfo | undefined,
): void {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const [x] = Object.values(inputs) as TensorInfo[];
    const y = SUFFIXES[x.dtype] && rearrange(call, x, attrs as object as Attributes);
    return y ? call.alias(y, y.shape) : onCpu();
  });
}

/** Location of elements: the address of the first, and the strides along each axis, in elements. */
export interface Place {
  readonly address: number;
  readonly strides: readonly number[];
}

/** Maximum bytes copied at once if elements are contiguous: the largest type of the kernels. */
const LARGEST_BYTES = 16;
/** Along shorter axes most of a tile would be empty. */
const SHORTEST_TILED = 8;

/**
 * Copies `extents` elements. Source and destination must not overlap.
 * @returns false if there are too many axes for a kernel
 */
export function stridedCopy(
  call: KernelCall,
  dtype: DataType,
  extents: readonly number[],
  from: Place,
  to: Place,
): boolean {
  const size = util.sizeFromShape([...extents]);
  if (size === 0) return true;
  const bytes = elementBytes(dtype);
  const layout = layoutOf(extents, [from.strides, to.strides]);
  if (layout.extents.length > MAX_AXES) return false;
  const [x, y] = layout.strides;
  const besides = layout.extents.length > 0 && x[0] === 1 && y[0] === 1;
  if (layout.extents.length === 0 || (layout.extents.length === 1 && besides)) {
    call.copy(to.address, from.address, size, dtype);
    return true;
  }
  if (!besides && transposed(call, bytes, layout.extents, at(from), x, at(to), y)) return true;
  const steps = layout.strides.map((along) => along.slice(1));
  const parts = besides
    ? elementsAtOnce(bytes, [layout.extents[0], ...steps.flat()], [from.address, to.address])
    : 1;
  const wide = layoutOfParts(layout, parts);
  const count = size / parts;
  const axes = [axesArgument(wide.extents), ...wide.strides.map(padded)];
  call.launch(`strided_copy_${bytes * parts}`, gridOf(count), at(from), at(to), count, ...axes);
  return true;
}

/** Converts a location to an argument of a kernel. */
function at({ address }: Place): { address: number; bytes: number } {
  return { address, bytes: 0 };
}

/**
 * Returns how many adjacent elements can be moved as one, which divides all of `counts`.
 * @param bytes of an element
 */
export function elementsAtOnce(
  bytes: number,
  counts: readonly number[],
  addresses: readonly number[] = [],
): number {
  for (let wide = LARGEST_BYTES; wide > bytes; wide /= 4) {
    const fits =
      counts.every((count) => count % (wide / bytes) === 0) &&
      addresses.every((address) => address % wide === 0);
    if (fits) return wide / bytes;
  }
  return 1;
}

/** Returns the layout with `parts` adjacent elements as one. */
function layoutOfParts({ extents, strides }: Layout, parts: number): Layout {
  return {
    extents: extents.map((extent, axis) => (axis === 0 ? extent / parts : extent)),
    strides: strides.map((along) => along.map((stride, axis) => (axis === 0 ? stride : stride / parts))),
  };
}

/** @returns false if adjacent elements in x are adjacent in y, or there are none */
function transposed(
  call: KernelCall,
  bytes: number,
  extents: readonly number[],
  from: { address: number; bytes: number },
  x: readonly number[],
  to: { address: number; bytes: number },
  y: readonly number[],
): boolean {
  const across = extents.findIndex((extent, axis) => x[axis] === 1 && extent >= SHORTEST_TILED);
  const down = extents.findIndex((extent, axis) => y[axis] === 1 && extent >= SHORTEST_TILED);
  if (across < 0 || down < 0 || across === down) return false;
  const isBatch = (_: number, axis: number) => axis !== across && axis !== down;
  const batch = extents.filter(isBatch);
  const [height, width] = [extents[down], extents[across]];
  const blocks =
    Math.ceil(height / COPY_TILE) *
    Math.ceil(width / COPY_TILE) *
    batch.reduce((product, extent) => product * extent, 1);
  call.launch(
    `transpose_tiles_${bytes}`,
    { blocks, threads: [COPY_TILE, COPY_TILE_ROWS] },
    ...([from, to, height, width, x[down], y[across]] as const),
    axesArgument(batch),
    padded(x.filter(isBatch)),
    padded(y.filter(isBatch)),
  );
  return true;
}

/**
 * Returns a new tensor whose element [i, j, ...] is x[offset + i * strides[0] + j * strides[1] + ...].
 * @returns undefined if there are too many axes for a kernel
 * @throws {Error} if some of these elements do not lie in x.
 */
export function strided(
  call: KernelCall,
  x: TensorInfo,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): DeviceTensor | undefined {
  const y = call.output(shape, x.dtype);
  if (util.sizeFromShape([...shape]) === 0) return y;
  checkReach(x, shape, strides, offset);
  const from = { address: call.input(x).address + offset * elementBytes(x.dtype), strides };
  const to = { address: y.address, strides: denseStrides(shape) };
  return stridedCopy(call, x.dtype, shape, from, to) ? y : undefined;
}

/** All elements lie between the lowest and the highest corner, which must lie in x. */
function checkReach(
  x: TensorInfo,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): void {
  let [first, last] = [offset, offset];
  for (const [axis, extent] of shape.entries()) {
    const reach = (extent - 1) * strides[axis];
    if (reach < 0) first += reach;
    else last += reach;
  }
  const size = util.sizeFromShape(x.shape);
  if (Number.isInteger(offset) && strides.every(Number.isInteger) && first >= 0 && last < size) return;
  throw new Error(
    `elements ${first} to ${last} of a tensor [${x.shape.join(', ')}] are asked for, expected some of its ${size}`,
  );
}

/** Returns the offset of an element in a dense tensor. */
export function offsetOf(indices: readonly number[], shape: readonly number[]): number {
  const strides = denseStrides(shape);
  return indices.reduce((sum, index, axis) => sum + index * strides[axis], 0);
}
