/** Adds rows to, or writes them over, rows of a tensor: scatter.cu. Deterministic, even if updates hit the same row. */
import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { checkIntegers, checkShape, elementsOf } from '../arguments.js';
import { elementBytes } from '../backend.js';
import { padded } from '../broadcast.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { MAX_AXES, THREADS } from './constants.js';
import { filled } from './shape.js';
import { strided } from './strided_copy.js';
import { SUFFIXES, unary } from './unary.js';

registerBuiltInKernel('ScatterNd', ({ inputs, attrs, call, onCpu }) => {
  const { indices, updates } = inputs as { indices: TensorInfo; updates: TensorInfo };
  const shape = attrs.shape as number[];
  const suffix = SUFFIXES[updates.dtype];
  const points = pointsOf(updates, indices, shape);
  if (!suffix || updates.dtype === 'bool' || !points) return onCpu();
  const y = filled(call, shape, 0, updates.dtype);
  scatter(call, `scatter_add_${suffix}`, updates, indices, y, points);
  return y;
});

registerBuiltInKernel('TensorScatterUpdate', ({ inputs, call, onCpu }) => {
  const { tensor, indices, updates } = inputs as Record<'tensor' | 'indices' | 'updates', TensorInfo>;
  const points = pointsOf(updates, indices, tensor.shape);
  if (!SUFFIXES[tensor.dtype] || tensor.dtype !== updates.dtype || !points) return onCpu();
  const y = call.output(tensor.shape, tensor.dtype);
  call.copy(y.address, call.input(tensor).address, util.sizeFromShape(tensor.shape), tensor.dtype);
  scatter(call, `scatter_write_${elementBytes(y.dtype)}`, updates, indices, y, points);
  return y;
});

registerBuiltInKernel('SparseToDense', ({ inputs, attrs, call, onCpu }) => {
  const { sparseIndices, sparseValues, defaultValue } = inputs as Record<
    'sparseIndices' | 'sparseValues' | 'defaultValue',
    TensorInfo
  >;
  const shape = attrs.outputShape as number[];
  const points = pointsOf(sparseValues, sparseIndices, shape);
  if (!SUFFIXES[sparseValues.dtype] || defaultValue.dtype !== sparseValues.dtype || !points) return onCpu();
  const everywhere = shape.map(() => 0);
  const y = strided(call, defaultValue, shape, everywhere);
  if (!y) return onCpu();
  scatter(call, `scatter_write_${elementBytes(y.dtype)}`, sparseValues, sparseIndices, y, points);
  return y;
});

const MOST_SEGMENTS_ON_CPU = 2 ** 16;

registerBuiltInKernel('UnsortedSegmentSum', ({ inputs, attrs, call, onCpu }) => {
  const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
  const rows = attrs.numSegments as number;
  const known = SUFFIXES[x.dtype] && segmentIds.dtype === 'int32' && segmentIds.shape.length === 1;
  // tfjs's CPU kernel creates tensors for each segment: a large number alone would keep it busy for hours.
  if (!known) checkIntegers('numSegments', [rows], 1, 0, MOST_SEGMENTS_ON_CPU);
  if (!known || rows === 0) return onCpu();
  checkShape('segmentIds', segmentIds.shape, x.shape.slice(0, 1));
  // tfjs returns float32, whatever dtype is summed.
  const summed = x.dtype === 'float32' ? x : unary(call, `cast_${SUFFIXES[x.dtype]}_f32`, x);
  const y = filled(call, [rows, ...x.shape.slice(1)], 0, 'float32');
  const slice = util.sizeFromShape(x.shape.slice(1));
  const points = { count: x.shape[0], depth: 1, rows, slice, strides: [1], updateStride: slice };
  scatter(call, 'scatter_add_f32', summed, segmentIds, y, points);
  return y;
});

/** The updates and their targets: see scatter.cu. */
interface Points {
  readonly count: number;
  readonly depth: number;
  readonly rows: number;
  readonly slice: number;
  /** Rows between consecutive index values, along each indexed axis. */
  readonly strides: readonly number[];
  /** Elements between consecutive updates; 0 if there is one number for all. */
  readonly updateStride: number;
}

/**
 * @returns undefined if the indices have more axes than a kernel supports
 * @throws {Error} unless there is an update for each point of a tensor of this shape, or one number for all.
 */
function pointsOf(updates: TensorInfo, indices: TensorInfo, shape: readonly number[]): Points | undefined {
  elementsOf('the result', shape);
  const { sliceRank, numUpdates, sliceSize, strides, outputSize } = backend_util.calculateShapes(
    updates,
    indices,
    [...shape],
  );
  if (sliceRank > shape.length) {
    throw new Error(
      `indices have shape ${showShape(indices.shape)}, expected ${shape.length} axes at most of ${showShape(shape)}`,
    );
  }
  const points = indices.shape.length > 1 ? indices.shape.slice(0, -1) : indices.shape;
  if (updates.shape.length > 0) checkShape('updates', updates.shape, [...points, ...shape.slice(sliceRank)]);
  if (sliceRank > MAX_AXES || indices.dtype !== 'int32') return undefined;
  return {
    count: numUpdates,
    depth: sliceRank,
    rows: outputSize / sliceSize,
    slice: sliceSize,
    strides,
    updateStride: updates.shape.length === 0 ? 0 : sliceSize,
  };
}

/** Each block scans all indices, so no more are used than fill a large device. */
const MOST_RANGES = 512;

function scatter(
  call: KernelCall,
  kernel: string,
  updates: TensorInfo,
  indices: TensorInfo,
  y: DeviceTensor,
  { count, depth, rows, slice, strides, updateStride }: Points,
): void {
  if (count === 0 || util.sizeFromShape(y.shape) === 0) return;
  const width = Math.min(THREADS, 2 ** Math.ceil(Math.log2(slice)));
  const tiles = Math.ceil(slice / width);
  // Every thread of a block should have a row.
  const span = Math.max(THREADS / width, Math.ceil(rows / Math.max(1, Math.floor(MOST_RANGES / tiles))));
  const grid = { blocks: [tiles, Math.ceil(rows / span)] as const, threads: THREADS };
  const sizes = [count, depth, rows, slice, span, width, updateStride] as const;
  call.launch(kernel, grid, call.input(updates), call.input(indices), y, ...sizes, padded(strides));
}
