/** The sliding window of a convolution or a pooling op over an image, as kernel arguments: window.h. */
import type { backend_util, TensorInfo } from '@tensorflow/tfjs-core';
import { checkIntegers } from '../arguments.js';

export type WindowInfo = backend_util.Conv2DInfo;

/** The sum of two such distances still fits a kernel's integer. */
const FURTHEST = 2 ** 30 - 1;

/** The struct `Window`. */
export function windowArgument(info: WindowInfo): number[] {
  const { inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const channelsLast = info.dataFormat === 'channelsLast';
  return [
    info.batchSize,
    ...[inHeight, inWidth, inChannels],
    ...[outHeight, outWidth, outChannels],
    ...[info.filterHeight, info.filterWidth],
    ...[info.strideHeight, info.strideWidth],
    ...[info.dilationHeight, info.dilationWidth],
    ...[info.padInfo.top, info.padInfo.left],
    ...imageStrides(inHeight, inWidth, inChannels, channelsLast),
    ...imageStrides(outHeight, outWidth, outChannels, channelsLast),
  ];
}

/** The struct `ImageStrides` of a dense image. */
function imageStrides(height: number, width: number, channels: number, channelsLast: boolean): number[] {
  const image = height * width * channels;
  return channelsLast ? [image, width * channels, channels, 1] : [image, width, 1, height * width];
}

/**
 * Computes the sizes of a convolution or a pooling op.
 * @param shapes of its tensors, [batch, height, width, channels] and similar
 * @throws {Error} if there is no such window.
 */
export function windowOf(
  shapes: Readonly<Record<string, readonly number[]>>,
  compute: () => WindowInfo,
): WindowInfo {
  for (const [name, shape] of Object.entries(shapes)) checkIntegers(`the shape of ${name}`, shape, 4, 0);
  const info = compute();
  const { top, bottom, left, right } = info.padInfo;
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  checkIntegers('the filter', [filterHeight, filterWidth], 2, 0, FURTHEST);
  checkIntegers('strides', [strideHeight, strideWidth], 2, 1, FURTHEST);
  checkIntegers('dilations', [dilationHeight, dilationWidth], 2, 1, FURTHEST);
  checkIntegers('padding', [top, bottom, left, right], 4, 0, FURTHEST);
  checkIntegers('the shape of the result', info.outShape, 4, 0);
  return info;
}

/** Number of output positions, including the batch. */
export function outPositions({ batchSize, outHeight, outWidth }: WindowInfo): number {
  return batchSize * outHeight * outWidth;
}

/** Number of input positions, including the batch. */
export function inPositions({ batchSize, inHeight, inWidth }: WindowInfo): number {
  return batchSize * inHeight * inWidth;
}

/** Whether there are no terms or no outputs: kernels divide by these sizes. */
export function isEmpty(info: WindowInfo): boolean {
  const { inChannels, outChannels, filterHeight, filterWidth } = info;
  const sizes = [inPositions(info), inChannels, info.outHeight, info.outWidth, outChannels];
  return [...sizes, filterHeight, filterWidth].some((size) => size <= 0);
}

/** Whether the kernels support the element types of all tensors. */
export function areFloats(...tensors: readonly TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}
