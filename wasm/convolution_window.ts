/** Writes the sizes of a convolution to a backend's memory, in the format of window.h. */
import type { backend_util } from '@tensorflow/tfjs-core';

/** The kernel arguments that it needs: see kernels.ts. */
interface Memory {
  readonly integers: (values: readonly number[]) => number;
}

/** Whether every output pixel depends only on the input pixel at the same position, so that both images are rows. */
export function isOfPixels(info: backend_util.Conv2DInfo): boolean {
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const { top, bottom, left, right } = padInfo;
  const isOne = [filterHeight, filterWidth, strideHeight, strideWidth].every((size) => size === 1);
  return isOne && [top, bottom, left, right].every((size) => size === 0);
}

/**
 * Writes the sizes.
 * @returns their address, valid for this call
 */
export function writeWindow({ integers }: Memory, info: backend_util.Conv2DInfo): number {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const { filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth, padInfo } =
    info;
  return integers([
    ...[batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels],
    ...[filterHeight, filterWidth, strideHeight, strideWidth, dilationHeight, dilationWidth],
    ...[padInfo.top, padInfo.left],
  ]);
}
