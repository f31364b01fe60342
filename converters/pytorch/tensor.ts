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
  /** Whether the values are the negatives of the stored ones: torch's negative bit. */
  readonly negated?: boolean;
}

const NO_BYTES: ByteSource = { name: 'nothing', size: 0, read: async () => new Uint8Array(0) };

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

/** Negates values where they lie; 16-bit floats by their sign bits, integers modulo their range, as torch does. */
function negate(values: TensorValues, dtype: DType): void {
  if (values instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) values[i] = -values[i];
  } else if (dtype === 'float16' || dtype === 'bfloat16') {
    for (let i = 0; i < values.length; i++) (values as Uint16Array)[i] ^= 0x8000;
  } else {
    for (let i = 0; i < values.length; i++) values[i] = -values[i];
  }
}

/** A tensor that has been checked against its storage, and can be read. */
export class StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly storage: TensorStorage;
  readonly negated: boolean;
  /** Number of values. */
  readonly elements: number;
  /** Whether it was saved as `torch.nn.Parameter`. */
  isParameter = false;

  /**
   * A tensor of which the file holds less than its values, or holds them in a form that is not read.
   * @param reason a clause that follows "the tensor": what it is, and what to save instead
   * @throws CheckpointError 'tensor-format', 'tensor-bounds' for sizes that no tensor has
   */
  static unreadable(dtype: DType, shape: readonly number[], reason: string, at?: number): StoredTensor {
    const storage = new TensorStorage(NO_BYTES, '', dtype, 0, 0);
    const strides = rowMajorStrides(shape);
    return new StoredTensor({ storage, dtype, shape, strides, offset: 0 }, at, reason);
  }

  /** Why the values cannot be read, as a clause that follows "the tensor"; undefined if they can. */
  get problem(): string | undefined {
    if (this.unreadable !== undefined) return this.unreadable;
    if (isReadable(this.dtype)) return undefined;
    return `is of type ${this.dtype}; save it as float32, float16, bfloat16 or an integer type`;
  }

  /** This tensor as another object, as torch makes a parameter of it. */
  asParameter(): StoredTensor {
    const parameter: StoredTensor = Object.assign(Object.create(StoredTensor.prototype), this);
    parameter.isParameter = true;
    return parameter;
  }

  /**
   * @param at offset in the file of the record, for messages
   * @throws CheckpointError 'tensor-format' (rank, sizes, strides), 'tensor-bounds' (reaches outside the storage, or
   *   unfolds a small storage into a large tensor)
   */
  constructor(
    record: TensorRecord,
    at?: number,
    private readonly unreadable?: string,
  ) {
    const { storage, dtype, shape, strides, offset, negated = false } = record;
    const whole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
    const describe = (): string =>
      `a tensor of shape [${shape.join()}], strides [${strides.join()}], offset ${offset} and type ${dtype}`;
    if (shape.length > MAX_RANK || shape.length !== strides.length) {
      throw new CheckpointError(
        'tensor-format',
        `a tensor has ${shape.length} sizes and ${strides.length} strides; as many of each, up to ${MAX_RANK}, are expected`,
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
    if (unreadable !== undefined && !Number.isSafeInteger(elements)) {
      throw new CheckpointError('tensor-bounds', `${describe()} has more values than any memory`, at);
    }
    if (unreadable === undefined && !(offset + extent <= available)) {
      throw new CheckpointError(
        'tensor-bounds',
        `${describe()} reaches to value ${offset + extent} of its storage, which has ${available}`,
        at,
      );
    }
    if (unreadable === undefined && elements > Math.max(available, MAX_EXPANDED_ELEMENTS)) {
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
    this.negated = negated;
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
    const { dtype, shape, strides, storage, problem } = this;
    if (problem !== undefined || !isReadable(dtype)) {
      throw new CheckpointError(
        'dtype',
        `a tensor of shape [${shape.join()}] ${problem}`,
        storage.fileOffset,
      );
    }
    const target = rowMajorStrides(shape);
    const dimensions: Dimension[] = shape.map((size, i) => ({ size, source: strides[i], target: target[i] }));
    const buffer = this.allocate();
    await gather(storage.source, storage.fileOffset, this.offset, dimensions, ITEM_BYTES[dtype], buffer);
    const values = VALUES_OF[dtype](buffer);
    if (this.negated) negate(values, dtype);
    return values;
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
