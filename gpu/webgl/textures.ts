/** Textures that our shaders read and write, in addition to those of tfjs. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';

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
  const tensor = backend.makeTensorInfo(shape, 'float32');
  const [width, height] = foldedSize(values.length / 4);
  const data = backend.texData.get(tensor.dataId);
  data.usage = UPLOAD;
  data.isPacked = true;
  data.texShape = [2 * height, 2 * width];
  backend
    .getGPGPUContext()
    .uploadDenseMatrixToTexture(backend.getTexture(tensor.dataId), width, height, values);
  return tensor;
}

/** Creates an empty texture of `count` texels, four numbers each, as a draw target. */
export function emptyTexture(backend: MathBackendWebGL, count: number): TensorInfo {
  const tensor = backend.makeTensorInfo([1, 2, 2 * count], 'float32');
  const [width, height] = foldedSize(count);
  const data = backend.texData.get(tensor.dataId);
  data.usage = RENDER;
  data.isPacked = true;
  data.texShape = [2 * height, 2 * width];
  return tensor;
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

/** Width and height, nearly square. */
function foldedSize(texels: number): [number, number] {
  const width = 2 ** Math.ceil(Math.log2(Math.max(1, texels)) / 2);
  return [width, Math.max(1, Math.ceil(texels / width))];
}
