/** Converts images in memory to tensors. */
import {
  backend,
  engine,
  type KernelBackend,
  type Tensor4D,
  type TensorInfo,
  tensor4d,
} from '@tensorflow/tfjs-core';
import type { RgbImage } from './rgb_image.js';

/** A backend with tensors in memory that JavaScript can write to: tfjs's `wasm`. */
interface MemoryBackend {
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  /** A view for immediate use: memory growth detaches it. */
  typedArrayFromHeap(info: TensorInfo): Float32Array;
}

/**
 * Converts images of one size to a tensor [N, H, W, 3], float32, 0 to 255. If possible, the values are written directly to the
 * backend's memory: temporary float arrays would be most of the garbage of a run over small images.
 */
export function pixelTensor(images: readonly RgbImage[]): Tensor4D {
  const [{ width, height }] = images;
  const shape: [number, number, number, number] = [images.length, height, width, 3];
  const writeTo = (values: Float32Array) => {
    for (const [i, { data }] of images.entries()) values.set(data, i * data.length);
    return values;
  };
  const memory = backend() as KernelBackend & Partial<MemoryBackend>;
  if (!memory.makeOutput || !memory.typedArrayFromHeap) {
    return tensor4d(writeTo(new Float32Array(images.length * height * width * 3)), shape);
  }
  const info = memory.makeOutput(shape, 'float32');
  writeTo(memory.typedArrayFromHeap(info));
  return engine().makeTensorFromTensorInfo(info) as Tensor4D;
}
