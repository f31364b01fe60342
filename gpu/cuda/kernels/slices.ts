/** Parts of a tensor, and a tensor read backwards. */
import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { denseStrides } from '../broadcast.js';
import { type KernelCall, registerStockKernel } from '../kernels.js';
import { offsetOf, strided } from './strided_copy.js';
import { SUFFIXES } from './unary.js';

/** @returns x itself where it is all of it; undefined where there are too many axes for a kernel */
export function slice(
  call: KernelCall,
  x: TensorInfo,
  begin: readonly number[],
  size: readonly number[],
): TensorInfo | undefined {
  if (util.arraysEqual(x.shape, [...size])) return x;
  return strided(call, x, size, denseStrides(x.shape), offsetOf(begin, x.shape));
}

registerStockKernel('Slice', ({ inputs, attrs, call, onHost }) => {
  const { x } = inputs as { x: TensorInfo };
  if (!SUFFIXES[x.dtype]) return onHost();
  const [begin, size] = slice_util.parseSliceParams(x, attrs.begin as number[], attrs.size as number[]);
  slice_util.assertParamsValid(x, begin, size);
  const y = slice(call, x, begin, size);
  return y ? call.alias(y, y.shape) : onHost();
});

registerStockKernel('StridedSlice', ({ inputs, attrs, call, onHost }) => {
  const { x } = inputs as { x: TensorInfo };
  if (!SUFFIXES[x.dtype]) return onHost();
  const given = attrs as object as Record<'begin' | 'end' | 'strides', number[]> &
    Record<'beginMask' | 'endMask' | 'ellipsisMask' | 'newAxisMask' | 'shrinkAxisMask', number>;
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
  if (isIdentity) return call.alias(x, finalShape);
  const along = denseStrides(x.shape).map((stride, axis) => stride * strides[axis]);
  // All axes of x, also those that the result has no more. Where it ends before it begins there is nothing.
  const extents = slice_util.computeOutShape(begin, end, strides).map((extent) => Math.max(0, extent));
  const y = strided(call, x, extents, along, offsetOf(begin, x.shape));
  return y ? { ...y, shape: finalShape } : onHost();
});

registerStockKernel('SplitV', ({ inputs, attrs, call, onHost }) => {
  const { x } = inputs as { x: TensorInfo };
  if (!SUFFIXES[x.dtype]) return onHost();
  const [axis] = util.parseAxisParam(attrs.axis as number, x.shape);
  const sizes = backend_util.prepareSplitSize(x as never, attrs.numOrSizeSplits as number[], axis);
  const begin = x.shape.map(() => 0);
  const parts: TensorInfo[] = [];
  for (const size of sizes) {
    const part = slice(
      call,
      x,
      begin,
      x.shape.map((extent, i) => (i === axis ? size : extent)),
    );
    if (!part) return onHost();
    parts.push(part);
    begin[axis] += size;
  }
  return parts.map((part) => call.alias(part, part.shape));
});

registerStockKernel('Unpack', ({ inputs, attrs, call, onHost }) => {
  const { value } = inputs as { value: TensorInfo };
  if (!SUFFIXES[value.dtype]) return onHost();
  const [axis] = util.parseAxisParam(attrs.axis as number, value.shape);
  const others = (values: readonly number[]) => values.filter((_, i) => i !== axis);
  const shape = others(value.shape);
  const strides = denseStrides(value.shape);
  const parts: TensorInfo[] = [];
  for (let i = 0; i < value.shape[axis]; i++) {
    const part = strided(call, value, shape, others(strides), i * strides[axis]);
    if (!part) return onHost();
    parts.push(part);
  }
  return parts;
});

registerStockKernel('Reverse', ({ inputs, attrs, call, onHost }) => {
  const { x } = inputs as { x: TensorInfo };
  if (!SUFFIXES[x.dtype]) return onHost();
  const y = reverse(call, x, util.parseAxisParam(attrs.dims as number[], x.shape));
  return y ? call.alias(y, y.shape) : onHost();
});

registerStockKernel('FlipLeftRight', ({ inputs, call, onHost }) => {
  const { image } = inputs as { image: TensorInfo };
  if (!SUFFIXES[image.dtype]) return onHost();
  const y = reverse(call, image, [2]);
  return y ? call.alias(y, y.shape) : onHost();
});

function reverse(call: KernelCall, x: TensorInfo, axes: readonly number[]): TensorInfo | undefined {
  const reversed = axes.filter((axis) => x.shape[axis] > 1);
  if (reversed.length === 0) return x;
  const strides = denseStrides(x.shape);
  const start = reversed.reduce((sum, axis) => sum + (x.shape[axis] - 1) * strides[axis], 0);
  for (const axis of reversed) strides[axis] = -strides[axis];
  return strided(call, x, x.shape, strides, start);
}
