/** The tensors of a case file. */
import type { ByteSource } from '../../converters/byte_source.js';
import { readSafetensorsHeader } from '../../converters/pytorch/safetensors.js';
import type { CaseTensor } from '../case.js';
import { stem } from '../source.js';

/** An opened case file: tensors are in memory, by name. */
export interface CaseFile {
  /** Name without folder and ending. */
  readonly name: string;
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly names: readonly string[];
  has(...names: string[]): boolean;
  /** @throws {Error} when the file has no such tensor, or one of a type that no case uses */
  tensor(name: string): CaseTensor;
  /** The tensor, which must be float32. @throws {Error} */
  floats(name: string): CaseTensor & { readonly dtype: 'float32' };
  /** The tensor, which must be int32. @throws {Error} */
  ints(name: string): CaseTensor & { readonly dtype: 'int32' };
}

/** All of a file. */
export async function bytesOf(source: ByteSource): Promise<Uint8Array> {
  return source.read(0, source.size);
}

/** @throws {CheckpointError} when it is no safetensors file */
export async function readCaseFile(source: ByteSource, path = source.name): Promise<CaseFile> {
  const header = await readSafetensorsHeader(source);
  // Decoded when they are asked for: weights of a model may be of types that no case uses.
  const stored = new Map<string, () => CaseTensor>();
  for (const [name, { dtype, shape, begin, end }] of header.tensors) {
    // A copy: typed arrays want aligned offsets, and a Buffer's slice would share its pool.
    const { buffer } = new Uint8Array(await source.read(begin, end - begin));
    stored.set(name, () => decode(name, dtype, shape, buffer));
  }
  const tensors = new Map<string, CaseTensor>();
  const tensor = (name: string): CaseTensor => {
    const found = tensors.get(name) ?? stored.get(name)?.();
    if (!found) throw new Error(`${path} has no tensor ${name}`);
    tensors.set(name, found);
    return found;
  };
  return {
    name: stem(path),
    path,
    metadata: header.metadata,
    names: [...stored.keys()],
    has: (...names) => names.every((name) => stored.has(name)),
    tensor,
    floats: (name) => {
      const found = tensor(name);
      if (found.dtype !== 'float32') throw new Error(`${path}: ${name} is ${found.dtype}, wanted float32`);
      return found;
    },
    ints: (name) => {
      const found = tensor(name);
      if (found.dtype !== 'int32') throw new Error(`${path}: ${name} is ${found.dtype}, wanted int32`);
      return found;
    },
  };
}

function decode(name: string, dtype: string, shape: readonly number[], buffer: ArrayBuffer): CaseTensor {
  switch (dtype) {
    case 'float32':
      return { dtype, shape, values: new Float32Array(buffer) };
    case 'float64':
      return { dtype, shape, values: new Float64Array(buffer) };
    case 'int32':
      return { dtype, shape, values: new Int32Array(buffer) };
    case 'uint8':
      return { dtype, shape, values: new Uint8Array(buffer) };
    default:
      throw new Error(`${name} is of type ${dtype}: cases hold float32, float64, int32 and uint8`);
  }
}

/** [B, D, V] -> [B, V, D]: files hold channels first, ops take them last. */
export function channelsLast(tensor: CaseTensor): CaseTensor {
  const [batch, channels, ...rest] = tensor.shape;
  const vertices = rest.reduce((product, extent) => product * extent, 1);
  const values = tensor.values.slice();
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      for (let v = 0; v < vertices; v++) {
        values[(b * vertices + v) * channels + d] = tensor.values[(b * channels + d) * vertices + v];
      }
    }
  }
  return { dtype: tensor.dtype, shape: [batch, ...rest, channels], values } as CaseTensor;
}

/** The same values in another shape. */
export function reshaped<T extends CaseTensor>(tensor: T, shape: readonly number[]): T {
  return { ...tensor, shape };
}
