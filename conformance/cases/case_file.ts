/** The tensors of a case file. */

import type { ByteSource } from '../../converters/byte_source.js';
import { type DType, type ReadableDType, typedValues } from '../../converters/pytorch/dtype.js';
import { readSafetensorsHeader } from '../../converters/pytorch/safetensors.js';
import { toFloat32 } from '../../converters/pytorch/widen.js';
import { sizeOf } from '../../plugin/ops/spec/tensor.js';
import type { CaseTensor } from '../case.js';
import { stem } from '../source.js';

/** The layout of a file gives no case: it is skipped with this message, which says what was found and expected. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
}

type Floats = CaseTensor & { readonly dtype: 'float32' };

/** An opened case file: tensors are in memory, by name. Values and layouts that no case can use cause a {@link LayoutError}. */
export interface CaseFile {
  /** Name without folder and extension. */
  readonly name: string;
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly names: readonly string[];
  has(...names: string[]): boolean;
  /** Dtype as stored in the file. */
  dtypeOf(name: string): DType | undefined;
  /** A tensor of any type that cases support. @param rank expected number of axes. @throws {LayoutError} */
  tensor(name: string, rank?: number): CaseTensor;
  /** Expected values: float32, or float64 rounded to it. @throws {LayoutError} also for types with larger rounding */
  floats(name: string, rank?: number): Floats;
  /** Values to be fed to an op or a model: also float16 and bfloat16, which float32 represents exactly. @throws {LayoutError} */
  input(name: string, rank?: number): Floats;
  /** Integers of any type, as int32. @throws {LayoutError} */
  ints(name: string, rank?: number): CaseTensor & { readonly dtype: 'int32' };
}

/** An entry of the metadata, which is JSON in a string. @throws {LayoutError} if it is not */
export function metadataOf<T>(file: CaseFile, name: string): Partial<T> {
  const text = file.metadata.get(name);
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Partial<T>;
  } catch {
    // Reported below.
  }
  throw new LayoutError(`${file.path}: ${name} of the metadata is not a JSON object`);
}

/** All bytes of a file. */
export async function bytesOf(source: ByteSource): Promise<Uint8Array> {
  return source.read(0, source.size);
}

interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly buffer: ArrayBuffer;
}

/** @throws {CheckpointError} if it is not a safetensors file */
export async function readCaseFile(source: ByteSource, path = source.name): Promise<CaseFile> {
  const header = await readSafetensorsHeader(source);
  const stored = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, begin, end }] of header.tensors) {
    // A copy: typed arrays need aligned offsets, and a slice of a Buffer would share its pool.
    const { buffer } = new Uint8Array(await source.read(begin, end - begin));
    stored.set(name, { dtype, shape, buffer });
  }
  // Decoded on request: weights of a model may have types that no case uses.
  const decoded = new Map<string, CaseTensor>();
  const fail = (name: string, found: string, expected: string): never => {
    throw new LayoutError(`${path}: ${name} ${found}, expected ${expected}`);
  };
  const find = (name: string, rank: number | undefined): StoredTensor => {
    const found = stored.get(name);
    if (!found) throw new LayoutError(`${path} has no tensor ${name}`);
    if (rank !== undefined && found.shape.length !== rank) {
      fail(name, `has the shape [${found.shape}]`, `${rank} axes`);
    }
    // Graphs of one vertex have no edges, and box filters may keep no boxes; any other tensor without items leaves nothing to
    // compare.
    if (found.shape[0] === 0 && !/(edges|pairs|\.dets|\.labels|\.inds)$/.test(name)) {
      throw new LayoutError(`${path}: ${name} has the shape [${found.shape}]: there is nothing to compare`);
    }
    return found;
  };
  const once = <T extends CaseTensor>(key: string, decode: () => T): T => {
    const value = (decoded.get(key) as T | undefined) ?? decode();
    decoded.set(key, value);
    return value;
  };
  const asFloat32 = (name: string, rank: number | undefined, dtypes: readonly DType[]): Floats => {
    const { dtype, shape, buffer } = find(name, rank);
    if (!dtypes.includes(dtype)) fail(name, `is ${dtype}`, dtypes.join(' or '));
    const readable = dtype as ReadableDType;
    return once(`${name} as float32`, () => {
      return { dtype: 'float32', shape, values: toFloat32(typedValues(readable, buffer), readable) };
    });
  };
  return {
    name: stem(path),
    path,
    metadata: header.metadata,
    names: [...stored.keys()],
    dtypeOf: (name) => stored.get(name)?.dtype,
    has: (...names) => names.every((name) => stored.has(name)),
    tensor: (name, rank) => {
      const { dtype, shape, buffer } = find(name, rank);
      return once(name, () => {
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
            return fail(name, `is ${dtype}`, 'float32, float64, int32 or uint8');
        }
      });
    },
    floats: (name, rank) => asFloat32(name, rank, ['float32', 'float64']),
    input: (name, rank) => asFloat32(name, rank, ['float32', 'float64', 'float16', 'bfloat16']),
    ints: (name, rank) => {
      const { dtype, shape, buffer } = find(name, rank);
      if (!INTEGERS.includes(dtype)) fail(name, `is ${dtype}`, 'integers');
      return once(`${name} as int32`, () => {
        const given = Array.from<number | bigint>(typedValues(dtype as ReadableDType, buffer));
        const values = Int32Array.from(given, Number);
        const wrong = given.findIndex((value, i) => Number(value) !== values[i]);
        if (wrong >= 0) fail(name, `[${wrong}] is ${given[wrong]}`, 'values of 32 bits');
        return { dtype: 'int32', shape, values };
      });
    },
  };
}

const INTEGERS: readonly DType[] = ['int8', 'int16', 'int32', 'int64', 'uint8', 'bool'];

/** [B, D, V] -> [B, V, D]: files are channels-first, ops channels-last. @throws {LayoutError} */
export function channelsLast(tensor: CaseTensor): CaseTensor {
  if (tensor.shape.length < 3)
    throw new LayoutError(`a tensor of shape [${tensor.shape}], expected [batch, channels, ...]`);
  const [batch, channels, ...rest] = tensor.shape;
  const vertices = sizeOf(rest);
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

/** The same values with another shape. */
export function reshaped<T extends CaseTensor>(tensor: T, shape: readonly number[]): T {
  return { ...tensor, shape };
}
