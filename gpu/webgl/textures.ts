/** Textures that our shaders read and write, in addition to those of tfjs. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../plugin/kernels/sizes.js';

/** Numbers for a texture, in the order of its texels: see packed.ts. */
export interface Table {
  /** Four for each texel of a packed tensor of `shape`; integers that are exact in float32. */
  readonly values: Float32Array;
  /** [..., rows, columns] with even rows. */
  readonly shape: number[];
}

/** Textures that are cached with the tensors they were made from, and related facts. */
export interface CachedTextures<Facts> {
  readonly textures: readonly TensorInfo[];
  readonly facts: Facts;
}

/** TextureUsage of tfjs. UPLOAD: float32 also on devices that render only float16. */
const RENDER = 0;
const UPLOAD = 1;

/**
 * Creates a tensor whose texture is filled directly: tfjs's own upload would copy it by a shader, compiled anew for every
 * size. No draw.
 */
export function upload(backend: MathBackendWebGL, { values, shape }: Table): TensorInfo {
  const [tensor, width, height] = packedTensor(backend, shape, UPLOAD);
  backend
    .getGPGPUContext()
    .uploadDenseMatrixToTexture(backend.getTexture(tensor.dataId), width, height, values);
  return tensor;
}

/** Creates an empty texture of `count` texels, four numbers each, as a draw target. */
export function emptyTexture(backend: MathBackendWebGL, count: number): TensorInfo {
  return packedTensor(backend, [1, 2, 2 * count], RENDER)[0];
}

/**
 * Creates a tensor as a draw target, with one number per texel. Its texture has the size that tfjs gives to textures of its
 * shape: tfjs's own programs that take shapes as uniforms (WEBGL_USE_SHAPES_UNIFORMS) rely on one size per shape.
 */
export function emptyOutput(
  backend: MathBackendWebGL,
  { shape, dtype }: { shape: readonly number[]; dtype: 'float32' | 'int32' },
): TensorInfo {
  const tensor = backend.makeTensorInfo([...shape], dtype);
  backend.texData.get(tensor.dataId).usage = RENDER;
  backend.uploadToGPU(tensor.dataId); // without values: creates only the texture
  return tensor;
}

/** Returns a packed tensor without values, and the width and height of its texture, which is nearly square. */
function packedTensor(
  backend: MathBackendWebGL,
  shape: number[],
  usage: number,
): [tensor: TensorInfo, width: number, height: number] {
  const texels = sizeOf(shape) / 4;
  const width = 2 ** Math.ceil(Math.log2(Math.max(1, texels)) / 2);
  const height = Math.max(1, Math.ceil(texels / width));
  const tensor = backend.makeTensorInfo(shape, 'float32');
  Object.assign(backend.texData.get(tensor.dataId), {
    usage,
    isPacked: true,
    texShape: [2 * height, 2 * width],
  });
  return [tensor, width, height];
}
