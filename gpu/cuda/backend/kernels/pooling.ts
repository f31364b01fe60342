/** Max and average pooling, and their gradients: pooling.cu. */
import { backend_util, type NamedAttrMap, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Block } from '../allocator.js';
import { checkIntegers, checkShape } from '../arguments.js';
import { type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { Float32, gridOf } from '../launch.js';
import { areFloats, isEmpty, type WindowInfo, windowArgument, windowOf } from './window.js';

type Shape4D = [number, number, number, number];

interface PoolAttributes {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

const POOLS = { MaxPool: 'max_pool', AvgPool: 'average_pool' } as const;

for (const [op, kernel] of Object.entries(POOLS)) {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    const info = infoOf(x, attrs);
    const { filterHeight, filterWidth, inShape, outShape } = info;
    if (filterHeight === 1 && filterWidth === 1 && util.arraysEqual(inShape, outShape)) {
      return call.alias(x, x.shape);
    }
    if (x.dtype !== 'float32' || isEmpty(info)) return onCpu();
    const y = call.output(outShape, 'float32');
    const size = util.sizeFromShape(outShape);
    call.launch(kernel, gridOf(size), call.input(x), y, size, windowArgument(info));
    return y;
  });
}

for (const op of ['MaxPoolGrad', 'AvgPoolGrad']) {
  const isMax = op === 'MaxPoolGrad';
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { dy, input: x } = inputs as Record<'dy' | 'input', TensorInfo>;
    // tfjs's CPU kernel also ignores the rounding mode for averages.
    const info = infoOf(x, isMax ? attrs : { ...attrs, dimRoundingMode: undefined });
    checkShape('dy', dy.shape, info.outShape);
    if (!areFloats(x, dy) || isEmpty(info)) return onCpu();
    const positions = isMax ? positionsOf(call, x, info) : null;
    const dx = call.output(x.shape, 'float32');
    const size = util.sizeFromShape(x.shape);
    const given = [call.input(dy), positions, dx, size, windowArgument(info)] as const;
    // It also ignores how many of the pixels lie in the image.
    const share = new Float32(isMax ? 1 : 1 / (info.filterHeight * info.filterWidth));
    call.launch('pool_gradient', gridOf(size), ...given, share);
    return dx;
  });
}

/** The position of the maximum of each window. */
function positionsOf(call: KernelCall, x: TensorInfo, info: WindowInfo): Block {
  const size = util.sizeFromShape(info.outShape);
  const positions = call.scratch(4 * size);
  call.launch('max_pool_positions', gridOf(size), call.input(x), positions, size, windowArgument(info));
  return positions;
}

function infoOf({ shape }: TensorInfo, attrs: Partial<NamedAttrMap>): WindowInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as object as PoolAttributes;
  const info = windowOf({ x: shape }, () =>
    backend_util.computePool2DInfo(shape as Shape4D, filterSize, strides, 1, pad, dimRoundingMode),
  );
  checkIntegers('filterSize', [info.filterHeight, info.filterWidth], 2, 1);
  return info;
}
