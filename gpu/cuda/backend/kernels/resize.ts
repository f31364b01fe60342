/** Resizes images: resize.cu. */
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { checkIntegers, checkShape } from '../arguments.js';
import { registerBuiltInKernel } from '../kernels.js';
import { Float32, gridOf } from '../launch.js';
import { SUFFIXES } from './unary.js';

const IMAGES = [undefined, undefined, undefined, undefined];

interface ResizeAttributes {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
  readonly size: readonly [number, number];
}

/** Checks that there are pixels to read from, and for aligned corners that corners exist. */
function checkResize(images: TensorInfo, { alignCorners, halfPixelCenters, size }: ResizeAttributes): void {
  checkShape('images', images.shape, IMAGES);
  checkIntegers('size', size, 2, 0);
  if (alignCorners && halfPixelCenters) {
    throw new Error('alignCorners and halfPixelCenters are both given, expected one of them at most');
  }
  const [, height, width] = images.shape;
  if (height * width === 0 && size[0] * size[1] > 0) {
    throw new Error(`images have shape ${showShape(images.shape)}, expected some pixels to resize`);
  }
}

/** The struct `ImageAxis`: an axis of `from` pixels that is resized to `to`. */
function imageAxis(from: number, to: number, alignCorners: boolean): number[] {
  const corner = alignCorners && to > 1 ? 1 : 0;
  return [from, to, from - corner, to - corner];
}

for (const op of ['ResizeBilinear', 'ResizeNearestNeighbor']) {
  const isBilinear = op === 'ResizeBilinear';
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { images } = inputs as { images: TensorInfo };
    const { alignCorners, halfPixelCenters, size } = attrs as object as ResizeAttributes;
    if (images.dtype !== 'float32' && images.dtype !== 'int32') return onCpu();
    checkResize(images, attrs as object as ResizeAttributes);
    const [batch, height, width, channels] = images.shape;
    const y = call.output([batch, ...size, channels], isBilinear ? 'float32' : images.dtype);
    const count = util.sizeFromShape(y.shape);
    if (count === 0) return y;
    const axes = [imageAxis(height, size[0], alignCorners), imageAxis(width, size[1], alignCorners)];
    const shift = new Float32(halfPixelCenters ? 0.5 : 0);
    const given = [call.input(images), y, count, channels, ...axes, shift] as const;
    if (isBilinear) call.launch(`resize_bilinear_${SUFFIXES[images.dtype]}`, gridOf(count), ...given);
    else call.launch('resize_nearest_4', gridOf(count), ...given, alignCorners ? 1 : 0);
    return y;
  });
}

for (const op of ['ResizeBilinearGrad', 'ResizeNearestNeighborGrad']) {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { images, dy } = inputs as { images: TensorInfo; dy: TensorInfo };
    const { alignCorners } = attrs as object as ResizeAttributes;
    if (dy.dtype !== 'float32' || images.dtype !== 'float32') return onCpu();
    checkShape('images', images.shape, IMAGES);
    const [batch, height, width, channels] = images.shape;
    checkShape('dy', dy.shape, [batch, undefined, undefined, channels]);
    const dx = call.output(images.shape, 'float32');
    const count = util.sizeFromShape(dx.shape);
    if (count === 0) return dx;
    const axes = [imageAxis(height, dy.shape[1], alignCorners), imageAxis(width, dy.shape[2], alignCorners)];
    const given = [call.input(dy), dx, count, channels, ...axes] as const;
    if (op === 'ResizeBilinearGrad') call.launch('resize_bilinear_grad_f32', gridOf(count), ...given);
    else call.launch('resize_nearest_grad_f32', gridOf(count), ...given, alignCorners ? 1 : 0);
    return dx;
  });
}
