/**
 * Textures that are made from a tensor once and kept for as long as tfjs keeps the tensor's values: the index tables
 * of a tree, shared by every scan and gradient that uses it. Tensors are immutable, so a table never goes stale.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** Numbers for a texture, in the order of its texels: see packed.ts. */
export interface Table {
  /** Four for each texel of a packed tensor of `shape`, whole and exact in float32. */
  readonly values: Float32Array;
  /** [..., rows, columns] with even rows. */
  readonly shape: number[];
}

/** Textures that belong to a tensor, and what is known of them. */
export interface Derived<Facts> {
  readonly textures: readonly TensorInfo[];
  readonly facts: Facts;
}

export class DerivedTextures {
  private readonly derived = new Map<object, Map<string, Derived<unknown>>>();

  /** Textures of a tensor are freed when `backend` disposes of its values. */
  constructor(private readonly backend: MathBackendWebGL) {
    // tfjs tells nobody when data goes, so its one function for that is wrapped.
    const disposeData = backend.disposeData.bind(backend);
    backend.disposeData = (dataId, force) => {
      const gone = disposeData(dataId, force);
      if (gone) this.free(dataId);
      return gone;
    };
  }

  /** What is called `name` of a tensor; `make` makes it when it is new. */
  get<Facts>(tensor: TensorInfo, name: string, make: () => Derived<Facts>): Derived<Facts> {
    const ofTensor = this.derived.get(tensor.dataId) ?? new Map<string, Derived<unknown>>();
    const known = ofTensor.get(name);
    if (known) return known as Derived<Facts>;
    const made = make();
    ofTensor.set(name, made);
    this.derived.set(tensor.dataId, ofTensor);
    return made;
  }

  /** What is called `name` of a tensor, if it was made. */
  find(tensor: TensorInfo, name: string): Derived<unknown> | undefined {
    return this.derived.get(tensor.dataId)?.get(name);
  }

  private free(dataId: object): void {
    const ofTensor = this.derived.get(dataId);
    this.derived.delete(dataId);
    for (const { textures } of ofTensor?.values() ?? []) {
      for (const texture of textures) this.backend.disposeIntermediateTensorInfo(texture);
    }
  }
}

/** TextureUsage of tfjs. UPLOAD: float32 also on devices that render only float16. */
const RENDER = 0;
const UPLOAD = 1;

/**
 * A tensor whose texture is filled as it is: tfjs's own upload would copy it by a shader, compiled anew for every size.
 * No draw.
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

/** An empty texture to draw to: `count` texels of four numbers, or of one. */
export function emptyTexture(
  backend: MathBackendWebGL,
  { shape, dtype }: { shape: readonly number[]; dtype: 'float32' | 'int32' },
  count: number,
  numbers: 1 | 4,
): TensorInfo {
  const tensor = backend.makeTensorInfo([...shape], dtype);
  const [width, height] = foldedSize(count);
  const data = backend.texData.get(tensor.dataId);
  data.usage = RENDER;
  data.isPacked = numbers === 4;
  data.texShape = numbers === 4 ? [2 * height, 2 * width] : [height, width];
  return tensor;
}

/** Width and height, nearly square. */
function foldedSize(texels: number): [number, number] {
  const width = 2 ** Math.ceil(Math.log2(Math.max(1, texels)) / 2);
  return [width, Math.max(1, Math.ceil(texels / width))];
}
