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

/** A table and what is known of it. */
export interface Derived<Facts> {
  readonly texture: TensorInfo;
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

  /** The texture called `name` of a tensor; `make` fills it when it is new. */
  get<Facts>(tensor: TensorInfo, name: string, make: () => Table & { facts: Facts }): Derived<Facts> {
    const ofTensor = this.derived.get(tensor.dataId) ?? new Map<string, Derived<unknown>>();
    const known = ofTensor.get(name);
    if (known) return known as Derived<Facts>;
    const { facts, ...table } = make();
    const texture = upload(this.backend, table);
    const made = { texture, facts };
    ofTensor.set(name, made);
    this.derived.set(tensor.dataId, ofTensor);
    return made;
  }

  private free(dataId: object): void {
    const ofTensor = this.derived.get(dataId);
    this.derived.delete(dataId);
    for (const { texture } of ofTensor?.values() ?? []) this.backend.disposeIntermediateTensorInfo(texture);
  }
}

/** TextureUsage.UPLOAD of tfjs: float32 also on devices that render only float16. */
const UPLOAD = 1;

/**
 * A tensor whose texture is filled as it is: tfjs's own upload would copy it by a shader, compiled anew for every size.
 * No draw.
 */
function upload(backend: MathBackendWebGL, { values, shape }: Table): TensorInfo {
  const tensor = backend.makeTensorInfo(shape, 'float32');
  const texels = Math.max(1, values.length / 4);
  const width = 2 ** Math.ceil(Math.log2(texels) / 2);
  const height = Math.ceil(texels / width);
  const data = backend.texData.get(tensor.dataId);
  data.usage = UPLOAD;
  data.isPacked = true;
  data.texShape = [2 * height, 2 * width];
  backend
    .getGPGPUContext()
    .uploadDenseMatrixToTexture(backend.getTexture(tensor.dataId), width, height, values);
  return tensor;
}
