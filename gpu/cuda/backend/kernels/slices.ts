/** Slices of a tensor, and reversal. */
import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { checkAxes, checkIntegers } from '../arguments.js';
import { denseStrides } from '../broadcast.js';
import { type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { offsetOf, registerRearrangement, strided } from './strided_copy.js';
import { SUFFIXES } from './unary.js';

const MOST_EMPTY_PARTS = 1024;

/**
 * @returns x itself if the slice covers all of it; undefined if there are too many axes for a kernel
 * @throws {Error} unless the slice lies in x.
 */
export function slice(
  call: KernelCall,
  x: TensorInfo,
  begin: readonly number[],
  size: readonly number[],
): TensorInfo | undefined {
  const rank = x.shape.length;
  checkIntegers('begin', begin, rank, 0);
  checkIntegers('size', size, rank, 0);
  if (begin.some((first, axis) => first + size[axis] > x.shape[axis])) {
    throw new Error(
      `begin is ${showShape(begin)} and size ${showShape(size)}, expected a part of ${showShape(x.shape)}`,
    );
  }
  if (util.arraysEqual(x.shape, [...size])) return x;
  return strided(call, x, size, denseStrides(x.shape), offsetOf(begin, x.shape));
}

registerRearrangement<Record<'begin' | 'size', number[]>>('Slice', (call, x, given) => {
  const [begin, size] = slice_util.parseSliceParams(x, given.begin, given.size);
  slice_util.assertParamsValid(x, begin, size);
  return slice(call, x, begin, size);
});

type StridedSlice = Record<'begin' | 'end' | 'strides', number[]> &
  Record<'beginMask' | 'endMask' | 'ellipsisMask' | 'newAxisMask' | 'shrinkAxisMask', number>;

registerRearrangement<StridedSlice>('StridedSlice', (call, x, given) => {
  const { finalShape, isIdentity, begin, end, strides } = slice_util.sliceInfo(
    x.shape,
    given.begin,
    given.end,
    given.strides,
    given.beginMask,
    given.endMask,
    given.ellipsisMask,
    given.newAxisMask,
    given.shrinkAxisMask,
  );
  if (isIdentity) return { ...x, shape: finalShape };
  const along = denseStrides(x.shape).map((stride, axis) => stride * strides[axis]);
  // All axes of x, including those that the result drops. If the end precedes the begin, the slice is empty.
  const extents = slice_util.computeOutShape(begin, end, strides).map((extent) => Math.max(0, extent));
  const y = strided(call, x, extents, along, offsetOf(begin, x.shape));
  return y && { ...y, shape: finalShape };
});

registerBuiltInKernel('SplitV', ({ inputs, attrs, call, onCpu }) => {
  const { x } = inputs as { x: TensorInfo };
  if (!SUFFIXES[x.dtype]) return onCpu();
  const [axis] = util.parseAxisParam(attrs.axis as number, x.shape);
  const split = attrs.numOrSizeSplits as number | number[];
  // An empty axis can be split into any number of empty parts, each of which is a tensor.
  const mostParts = Math.max(MOST_EMPTY_PARTS, x.shape[axis]);
  if (!Array.isArray(split)) checkIntegers('numOrSizeSplits', [split], 1, 1, mostParts);
  const sizes = backend_util.prepareSplitSize(x as never, split, axis);
  const begin = x.shape.map(() => 0);
  const parts: TensorInfo[] = [];
  for (const size of sizes) {
    const part = slice(
      call,
      x,
      begin,
      x.shape.map((extent, i) => (i === axis ? size : extent)),
    );
    if (!part) return onCpu();
    parts.push(part);
    begin[axis] += size;
  }
  return parts.map((part) => call.alias(part, part.shape));
});

registerBuiltInKernel('Unpack', ({ inputs, attrs, call, onCpu }) => {
  const { value } = inputs as { value: TensorInfo };
  if (!SUFFIXES[value.dtype]) return onCpu();
  const [axis] = util.parseAxisParam(attrs.axis as number, value.shape);
  const others = (values: readonly number[]) => values.filter((_, i) => i !== axis);
  const shape = others(value.shape);
  const strides = denseStrides(value.shape);
  const parts: TensorInfo[] = [];
  for (let i = 0; i < value.shape[axis]; i++) {
    const part = strided(call, value, shape, others(strides), i * strides[axis]);
    if (!part) return onCpu();
    parts.push(part);
  }
  return parts;
});

registerRearrangement<{ dims: number[] }>('Reverse', (call, x, { dims }) =>
  reverse(call, x, util.parseAxisParam(dims, x.shape)),
);

registerRearrangement('FlipLeftRight', (call, image) => reverse(call, image, [2]));

function reverse(call: KernelCall, x: TensorInfo, axes: readonly number[]): TensorInfo | undefined {
  checkAxes('dims', axes, x.shape.length);
  const reversed = axes.filter((axis) => x.shape[axis] > 1);
  if (reversed.length === 0) return x;
  const strides = denseStrides(x.shape);
  const start = reversed.reduce((sum, axis) => sum + (x.shape[axis] - 1) * strides[axis], 0);
  for (const axis of reversed) strides[axis] = -strides[axis];
  return strided(call, x, x.shape, strides, start);
}
