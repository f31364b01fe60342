/** How the window of a convolution or a pooling op moves over an image, as kernels take it: addon/kernels/window.h. */
import { type backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';

export type WindowInfo = backend_util.Conv2DInfo;

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

/** Positions of the output, over the batch. */
export function outPositions({ batchSize, outHeight, outWidth }: WindowInfo): number {
  return batchSize * outHeight * outWidth;
}

/** Positions of the input, over the batch. */
export function inPositions({ batchSize, inHeight, inWidth }: WindowInfo): number {
  return batchSize * inHeight * inWidth;
}

/** Whether there is nothing to sum up, or nowhere to put it: kernels divide by these sizes. */
export function isEmpty(info: WindowInfo): boolean {
  const { inChannels, outChannels, filterHeight, filterWidth } = info;
  const sizes = [inPositions(info), inChannels, info.outHeight, info.outWidth, outChannels];
  return [...sizes, filterHeight, filterWidth].some((size) => size <= 0);
}

/** Whether the gradient of the output has its shape. tfjs's conv2dTranspose does not see to it. */
export function fits(dy: TensorInfo, info: WindowInfo): boolean {
  return util.arraysEqual(dy.shape, info.outShape);
}

/** Whether the kernels know the element type of all of these. */
export function areFloats(...tensors: readonly TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}
