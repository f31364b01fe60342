/** Gathers rows of a tensor by index: gather.cu. */
import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkIntegers } from '../arguments.js';
import { elementBytes } from '../backend.js';
import { padded } from '../broadcast.js';
import { type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { MAX_AXES } from './constants.js';
import { elementsAtOnce } from './strided_copy.js';
import { SUFFIXES } from './unary.js';

registerBuiltInKernel('GatherV2', ({ inputs, attrs, call, onCpu }) => {
  const { x, indices } = inputs as { x: TensorInfo; indices: TensorInfo };
  if (!SUFFIXES[x.dtype] || indices.dtype !== 'int32') return onCpu();
  const asked = (attrs.batchDims as number | undefined) ?? 0;
  const batchDims = asked < 0 ? asked + indices.shape.length : asked;
  checkIntegers('batchDims', [batchDims], 1, 0);
  const [axis] = util.parseAxisParam(attrs.axis as number, x.shape);
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
    backend_util.segment_util.collectGatherOpShapeInfo(x as never, indices as never, axis, batchDims);
  checkIndices(call.backend.hostValuesOf(indices) as Int32Array | undefined, dimSize);
  const sizes = [outerSize, dimSize, util.sizeFromShape(indices.shape) / batchSize];
  return gathered(call, 'gather_rows', x, indices, outputShape, sizes, sliceSize);
});

registerBuiltInKernel('GatherNd', ({ inputs, call, onCpu }) => {
  const { params, indices } = inputs as { params: TensorInfo; indices: TensorInfo };
  const depth = indices.shape.at(-1) ?? 0;
  if (!SUFFIXES[params.dtype] || indices.dtype !== 'int32' || depth > MAX_AXES) return onCpu();
  const [shape, , sliceSize, strides] = backend_util.prepareAndValidate(params, indices);
  const sizes = [depth, util.sizeFromShape(params.shape) / sliceSize];
  return gathered(call, 'gather_points', params, indices, shape, sizes, sliceSize, padded(strides));
});

/** Launches a kernel that copies slices of x. */
function gathered(
  call: KernelCall,
  kernel: string,
  x: TensorInfo,
  indices: TensorInfo,
  shape: readonly number[],
  sizes: readonly number[],
  slice: number,
  ...strides: readonly number[][]
): TensorInfo {
  const y = call.output(shape, x.dtype);
  const bytes = elementBytes(x.dtype);
  const parts = elementsAtOnce(bytes, [slice]);
  const count = util.sizeFromShape([...shape]) / parts;
  if (count === 0) return y;
  const given = [call.input(x), call.input(indices), y, count, ...sizes, slice / parts, ...strides];
  call.launch(`${kernel}_${bytes * parts}`, gridOf(count), ...given);
  return y;
}

/**
 * Checks indices that are still on the host. Those computed on the device are not read back: a row out of range then becomes
 * zeros.
 */
function checkIndices(indices: Int32Array | undefined, rows: number): void {
  const outside = indices?.find((index) => index < 0 || index >= rows);
  if (outside !== undefined) {
    throw new Error(`the index value ${outside} is not in [0, ${rows - 1}]`);
  }
}
