/** Ops that combine tensors: concatenation, tiling and sums. */
import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkAxes, checkIntegers, checkShape } from '../arguments.js';
import { elementBytes } from '../backend.js';
import { denseStrides } from '../broadcast.js';
import { type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { registerRearrangement, strided, stridedCopy } from './strided_copy.js';
import { SUFFIXES } from './unary.js';

/** Whether all tensors have the same type, and it is one that the device supports. */
function areAlike(tensors: readonly TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => SUFFIXES[dtype] && dtype === tensors[0].dtype);
}

registerBuiltInKernel('Concat', ({ inputs, attrs, call, onCpu }) => {
  const tensors = inputs as object as TensorInfo[];
  if (!areAlike(tensors)) return onCpu();
  const y = concat(call, tensors, util.parseAxisParam(attrs.axis as number, tensors[0].shape)[0]);
  return call.alias(y, y.shape);
});

registerBuiltInKernel('Pack', ({ inputs, attrs, call, onCpu }) => {
  const tensors = inputs as object as TensorInfo[];
  if (!areAlike(tensors)) return onCpu();
  const [{ shape }] = tensors;
  for (const tensor of tensors) {
    util.assertShapesMatch(shape, tensor.shape, 'All tensors passed to stack must have matching shapes');
  }
  const given = attrs.axis as number;
  const axis = given < 0 ? shape.length + 1 + given : given;
  checkAxes('axis', [axis], shape.length + 1);
  const expanded = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  const y = concat(
    call,
    tensors.map((tensor) => ({ ...tensor, shape: expanded })),
    axis,
  );
  return call.alias(y, y.shape);
});

/** Concatenates tensors along an axis, with a copy for each; if only one is not empty, it is returned itself. */
export function concat(call: KernelCall, tensors: readonly TensorInfo[], axis: number): TensorInfo {
  const shapes = tensors.map(({ shape }) => shape);
  backend_util.assertParamsConsistent(shapes, axis);
  const shape = backend_util.computeOutShape(shapes, axis);
  const full = tensors.filter((tensor) => util.sizeFromShape(tensor.shape) > 0);
  if (full.length === 1) return { ...full[0], shape };
  const y = call.output(shape, tensors[0].dtype);
  const outer = util.sizeFromShape(shape.slice(0, axis));
  const inner = util.sizeFromShape(shape.slice(axis + 1));
  const row = shape[axis] * inner;
  let address = y.address;
  for (const tensor of full) {
    const length = tensor.shape[axis] * inner;
    const from = { address: call.input(tensor).address, strides: [length, 1] };
    stridedCopy(call, y.dtype, [outer, length], from, { address, strides: [row, 1] });
    address += length * elementBytes(y.dtype);
  }
  return y;
}

registerRearrangement<{ reps: number[] }>('Tile', (call, x, { reps: times }) => {
  checkIntegers('reps', times, x.shape.length, 0);
  const shape = x.shape.map((extent, axis) => extent * times[axis]);
  if (util.arraysEqual(shape, x.shape)) return x;
  const strides = denseStrides(x.shape);
  // Splits every axis in two: along the first one the stride is 0.
  const extents = x.shape.flatMap((extent, axis) => [times[axis], extent]);
  const along = strides.flatMap((stride) => [0, stride]);
  const y = strided(call, x, extents, along);
  return y && { ...y, shape };
});

const ADDED_AT_ONCE = 4;

registerBuiltInKernel('AddN', ({ inputs, call, onCpu }) => {
  const tensors = inputs as object as TensorInfo[];
  const [{ dtype, shape }] = tensors;
  if (!areAlike(tensors) || dtype === 'bool') return onCpu();
  for (const tensor of tensors) checkShape('a tensor', tensor.shape, shape);
  const y = call.output(shape, dtype);
  const size = util.sizeFromShape(shape);
  let left = tensors.map((tensor) => call.input(tensor));
  while (left.length > 0) {
    const [a, b = null, c = null, d = null] = left;
    call.launch(`add_n_${SUFFIXES[dtype]}`, gridOf(size), a, b, c, d, y, size);
    left = left.length > ADDED_AT_ONCE ? [y, ...left.slice(ADDED_AT_ONCE)] : [];
  }
  return y;
});
