/** Pads tensors: pad.cu. */
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { checkPairs } from '../arguments.js';
import { elementBytes } from '../backend.js';
import { axesArgument, denseStrides, padded } from '../broadcast.js';
import type { KernelCall } from '../kernels.js';
import { gridOf } from '../launch.js';
import { MAX_AXES } from './constants.js';
import { bitsOf } from './shape.js';
import { elementsAtOnce, registerRearrangement } from './strided_copy.js';

type Paddings = readonly (readonly [number, number])[];

type ConstantPad = { paddings: Paddings; constantValue: number };

registerRearrangement<ConstantPad>('PadV2', (call, x, { paddings, constantValue }) =>
  pad(call, x, paddings, constantValue),
);

type MirrorPad = { paddings: Paddings; mode: 'reflect' | 'symmetric' };

registerRearrangement<MirrorPad>('MirrorPad', (call, x, { paddings, mode }) => {
  checkMirror(x, paddings, mode);
  const { axes, shape, size } = bordered(x, paddings, ({ before, extent, within }) => {
    return before === 0 && extent === within;
  });
  if (axes.length > MAX_AXES) return undefined;
  const y = call.output(shape, x.dtype);
  const edge = mode === 'symmetric' ? 1 : 0;
  const kernel = `mirror_pad_${elementBytes(x.dtype)}`;
  call.launch(kernel, gridOf(size), call.input(x), y, size, ...structs(axes), edge);
  return y;
});

/** Mirror padding cannot exceed x, or x without its edge. */
function checkMirror(x: TensorInfo, paddings: Paddings, mode: string): void {
  checkPairs('paddings', paddings, x.shape.length);
  if (mode !== 'reflect' && mode !== 'symmetric') {
    throw new Error(`mode is ${JSON.stringify(mode)}, expected reflect or symmetric`);
  }
  for (const [axis, extent] of x.shape.entries()) {
    const most = Math.max(0, mode === 'reflect' ? extent - 1 : extent);
    if (paddings[axis].every((count) => count <= most)) continue;
    throw new Error(
      `paddings[${axis}] is ${showShape(paddings[axis])}, expected ${most} at most for x ${showShape(x.shape)}`,
    );
  }
}

/**
 * Pads with one number; returns x itself if the padding is empty.
 * @param paddings number of elements before and after, along each axis
 * @returns undefined if there are too many axes for a kernel
 */
export function pad(
  call: KernelCall,
  x: TensorInfo,
  paddings: Paddings,
  value: number,
): TensorInfo | undefined {
  const { axes, shape, size } = bordered(x, paddings, () => true);
  if (axes.length > MAX_AXES) return undefined;
  if (size === util.sizeFromShape(x.shape)) return { ...x, shape };
  const y = call.output(shape, x.dtype);
  const from = call.input(x);
  const bytes = elementBytes(x.dtype);
  const [{ extent, before, within, stride }, ...others] = axes;
  const parts = elementsAtOnce(bytes, [extent, before, within, ...others.map((axis) => axis.stride)]);
  const wide = [
    { extent: extent / parts, before: before / parts, within: within / parts, stride },
    ...others.map((axis) => ({ ...axis, stride: axis.stride / parts })),
  ];
  const count = size / parts;
  // The bits of the number, repeated four times if an element is a byte.
  const pattern = bytes === 1 ? (value & 0xff) * 0x01010101 : bitsOf(value, x.dtype);
  call.launch(`pad_${bytes * parts}`, gridOf(count), from, y, count, ...structs(wide), pattern);
  return y;
}

/** An axis of the result. */
interface Axis {
  extent: number;
  before: number;
  /** Extent and stride of x. */
  within: number;
  stride: number;
}

/** Returns the axes of the result, last first. An axis without padding is merged with the axis before it if `mayMerge`. */
function bordered(
  x: TensorInfo,
  paddings: Paddings,
  mayMerge: (outer: Axis) => boolean,
): { axes: Axis[]; shape: number[]; size: number } {
  checkPairs('paddings', paddings, x.shape.length);
  const strides = denseStrides(x.shape);
  const axes: Axis[] = [];
  for (let i = x.shape.length - 1; i >= 0; i--) {
    const within = x.shape[i];
    const [before, behind] = paddings[i];
    const axis = { extent: before + within + behind, before, within, stride: strides[i] };
    const inner = axes.at(-1);
    if (inner && inner.before === 0 && inner.extent === inner.within && mayMerge(axis)) {
      inner.before = before * inner.extent;
      inner.within = within * inner.extent;
      inner.extent *= axis.extent;
    } else axes.push(axis);
  }
  const shape = x.shape.map((extent, i) => paddings[i][0] + extent + paddings[i][1]);
  return { axes, shape, size: util.sizeFromShape(shape) };
}

/** Returns the axes, and the range of x within each, as structs. */
function structs(axes: readonly Axis[]): number[][] {
  return [
    axesArgument(axes.map(({ extent }) => extent)),
    padded(axes.map(({ before }) => before)),
    padded(axes.map(({ within }) => within)),
    padded(axes.map(({ stride }) => stride)),
  ];
}
