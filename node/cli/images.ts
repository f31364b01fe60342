/** Images of the command line as tensors. */
import { type Tensor3D, tensor3d } from '@tensorflow/tfjs-core';
import type { RgbImage } from '../../plugin/image/rgb_image.js';

/** [H, W, 3] float32, RGB from 0 to 255. */
export function toTensor({ data, height, width }: RgbImage): Tensor3D {
  return tensor3d(Float32Array.from(data), [height, width, 3]);
}
