/** Transposes, and ops that are a transpose between two reshapes. */
import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { checkAxes, checkIntegers, checkPairs, checkShape } from '../arguments.js';
import { denseStrides } from '../broadcast.js';
import type { KernelCall } from '../kernels.js';
import { pad } from './pad.js';
import { slice } from './slices.js';
import { registerRearrangement, strided } from './strided_copy.js';

registerRearrangement<{ perm: number[] }>('Transpose', (call, x, { perm }) => transpose(call, x, perm));

/**
 * Permutes the axes of a tensor: axis i of the result is axis permutation[i] of x. Returns x itself if nothing moves.
 * @returns undefined if there are too many axes for a kernel
 * @throws {Error} unless each axis occurs once.
 */
export function transpose(
  call: KernelCall,
  x: TensorInfo,
  permutation: readonly number[],
): TensorInfo | undefined {
  checkIntegers('perm', permutation, x.shape.length, 0);
  checkAxes('perm', permutation, x.shape.length);
  const shape = permutation.map((axis) => x.shape[axis]);
  const moved = permutation.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1])) return { ...x, shape };
  const strides = denseStrides(x.shape);
  return strided(
    call,
    x,
    shape,
    permutation.map((axis) => strides[axis]),
  );
}

type Blocks = { blockSize: number; dataFormat: string };

registerRearrangement<Blocks>('DepthToSpace', (call, x, { blockSize: block, dataFormat }) => {
  if (dataFormat !== 'NHWC') return undefined;
  checkShape('x', x.shape, [undefined, undefined, undefined, undefined]);
  checkIntegers('blockSize', [block], 1, 1);
  const [batch, height, width, depth] = x.shape;
  const channels = depth / (block * block);
  const blocks = { ...x, shape: [batch, height, width, block, block, channels] };
  const y = transpose(call, blocks, [0, 1, 3, 2, 4, 5]);
  return y && { ...y, shape: [batch, height * block, width * block, channels] };
});

type Padded = { blockShape: number[]; paddings: [number, number][] };

registerRearrangement<Padded>('SpaceToBatchND', (call, x, { blockShape, paddings }) => {
  checkBlocks(x, blockShape);
  checkPairs('paddings', paddings, blockShape.length);
  const block = util.sizeFromShape(blockShape);
  const all = x.shape.map((_, axis): [number, number] => paddings[axis - 1] ?? [0, 0]);
  const padded = pad(call, x, all, 0);
  if (!padded) return undefined;
  if (blockShape.some((extent, i) => padded.shape[i + 1] % extent !== 0)) {
    throw new Error(
      `x is ${showShape(padded.shape)} with its paddings, expected multiples of blockShape ${showShape(blockShape)}`,
    );
  }
  const shape = backend_util.getReshaped(padded.shape, blockShape, block, false);
  const order = backend_util.getPermuted(shape.length, blockShape.length, false);
  const y = transpose(call, { ...padded, shape }, order);
  return y && { ...y, shape: backend_util.getReshapedPermuted(padded.shape, blockShape, block, false) };
});

type Cropped = { blockShape: number[]; crops: number[][] };

registerRearrangement<Cropped>('BatchToSpaceND', (call, x, { blockShape, crops }) => {
  checkBlocks(x, blockShape);
  checkPairs('crops', crops, blockShape.length);
  const block = util.sizeFromShape(blockShape);
  if (x.shape[0] % block !== 0) {
    throw new Error(`x has shape ${showShape(x.shape)}, expected a batch that is a multiple of ${block}`);
  }
  const shape = backend_util.getReshaped(x.shape, blockShape, block);
  const moved = transpose(call, { ...x, shape }, backend_util.getPermuted(shape.length, blockShape.length));
  if (!moved) return undefined;
  const whole = backend_util.getReshapedPermuted(x.shape, blockShape, block);
  const uncropped = { ...moved, shape: whole };
  // tfjs lists the axes up to the last cropped one; the others are whole.
  const [begin, size] = slice_util.parseSliceParams(
    uncropped,
    backend_util.getSliceBeginCoords(crops, blockShape.length),
    backend_util.getSliceSize(whole, crops, blockShape.length),
  );
  return slice(call, uncropped, begin, size);
});

/** Blocks are on axes 1, 2... of x. */
function checkBlocks(x: TensorInfo, blockShape: readonly number[]): void {
  checkIntegers('blockShape', blockShape, blockShape.length, 1);
  if (blockShape.length < x.shape.length) return;
  throw new Error(
    `x has shape ${showShape(x.shape)}, expected more axes than blockShape ${showShape(blockShape)} has`,
  );
}
