// A tensor as it lies in a checkpoint: a window of shape and strides into a storage. Nothing is read until asked for.

import type { ByteSource } from '../byte_source.js';
import { type DType, ITEM_BYTES, isReadable, type TensorValues, VALUES_OF } from './dtype.js';
import { CheckpointError } from './errors.js';
import { type Dimension, gather } from './gather.js';
import { MAX_EXPANDED_ELEMENTS, MAX_RANK } from './limits.js';
import { toFloat32 } from './widen.js';

/** One buffer of the file; tensors may share it. */
export class TensorStorage {
  constructor(
    readonly source: ByteSource,
    /** torch's name of the storage, unique in its file. */
    readonly key: string,
    readonly dtype: DType,
    /** Number of values of `dtype`. */
    readonly elements: number,
    /** Where its bytes start in the file. Legacy files tell only at their end: -1 until then. */
    public fileOffset: number,
    /** torch's device tag, as saved (`cpu`, `cuda:0`). */
    readonly location = 'cpu',
  ) {}

  get byteLength(): number {
    return this.elements * ITEM_BYTES[this.dtype];
  }
}

/** What a checkpoint records of a tensor. Sizes and strides count values, not bytes. */
export interface TensorRecord {
  readonly storage: TensorStorage;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Index in the storage of the tensor's first value. */
  readonly offset: number;
}

/** Row-major strides of a shape. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= Math.max(shape[i], 1);
  }
  return strides;
}

/** A tensor that has been checked against its storage, and can be read. */
export class StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly storage: TensorStorage;
  /** Number of values. */
  readonly elements: number;
  /** Whether it was saved as `torch.nn.Parameter`. */
  isParameter = false;

  /**
   * @param at offset in the file of the record, for messages
   * @throws CheckpointError 'tensor-format' (rank, sizes, strides), 'tensor-bounds' (reaches outside the storage, or
   *   unfolds a small storage into a large tensor)
   */
  constructor(record: TensorRecord, at?: number) {
    const { storage, dtype, shape, strides, offset } = record;
    const whole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
    const describe = (): string =>
      `a tensor of shape [${shape.join()}], strides [${strides.join()}], offset ${offset} and type ${dtype}`;
    if (shape.length > MAX_RANK || shape.length !== strides.length) {
      throw new CheckpointError(
        'tensor-format',
        `a tensor has ${shape.length} sizes and ${strides.length} strides; as many of each, up to ${MAX_RANK}, are wanted`,
        at,
      );
    }
    if (![...shape, ...strides, offset].every(whole)) {
      throw new CheckpointError(
        'tensor-format',
        `${describe()} has a size, stride or offset that is not 0 or more`,
        at,
      );
    }
    const available = Math.floor(storage.byteLength / ITEM_BYTES[dtype]);
    const elements = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
    // Both may round beyond 2^53, where they are far above any storage's length.
    const extent = elements === 0 ? 0 : shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 1);
    if (!(offset + extent <= available)) {
      throw new CheckpointError(
        'tensor-bounds',
        `${describe()} reaches to value ${offset + extent} of its storage, which has ${available}`,
        at,
      );
    }
    if (elements > Math.max(available, MAX_EXPANDED_ELEMENTS)) {
      throw new CheckpointError(
        'tensor-bounds',
        `${describe()} unfolds ${available} stored values into ${elements}; at most ${MAX_EXPANDED_ELEMENTS} are read`,
        at,
      );
    }
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.strides = Object.freeze([...strides]);
    this.offset = offset;
    this.storage = storage;
    this.elements = elements;
  }

  /** Bytes of the values in row-major order. */
  get byteLength(): number {
    return this.elements * ITEM_BYTES[this.dtype];
  }

  /**
   * The values in row-major order, as they are stored (see TensorValues for the 16-bit floats and bool). Only the part
   * of the storage that the tensor spans is read, at most 16 MiB at a time.
   * @throws CheckpointError 'dtype' if values of this type cannot be read, 'read-failed', 'truncated'
   */
  async read(): Promise<TensorValues> {
    const { dtype, shape, strides, storage } = this;
    if (!isReadable(dtype)) {
      throw new CheckpointError(
        'dtype',
        `values of type ${dtype} cannot be read; save the tensor as float32, float16, bfloat16 or an integer type`,
        storage.fileOffset,
      );
    }
    const target = rowMajorStrides(shape);
    const dimensions: Dimension[] = shape.map((size, i) => ({ size, source: strides[i], target: target[i] }));
    const buffer = this.allocate();
    await gather(storage.source, storage.fileOffset, this.offset, dimensions, ITEM_BYTES[dtype], buffer);
    return VALUES_OF[dtype](buffer);
  }

  private allocate(): ArrayBuffer {
    try {
      return new ArrayBuffer(this.byteLength);
    } catch (cause) {
      const message = `a tensor of ${this.byteLength} bytes does not fit into this program's memory`;
      throw new CheckpointError('limit', message, this.storage.fileOffset, cause);
    }
  }

  /**
   * The values in row-major order as float32: float16 and bfloat16 widened exactly, float64 and integers rounded to
   * nearest.
   * @throws CheckpointError as `read`
   */
  async readFloat32(): Promise<Float32Array> {
    const values = await this.read();
    return isReadable(this.dtype) ? toFloat32(values, this.dtype) : new Float32Array(0);
  }
}
