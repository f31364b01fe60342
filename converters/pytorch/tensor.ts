// A tensor as stored in a checkpoint: a view with shape and strides into a storage. Nothing is read until requested.

import type { ByteSource } from '../byte_source.js';
import { elementsOf } from '../parameters.js';
import { type DType, ITEM_BYTES, isReadable, type TensorValues, typedValues } from './dtype.js';
import { CheckpointError } from './errors.js';
import { type Dimension, gather } from './gather.js';
import { MAX_EXPANDED_ELEMENTS, MAX_RANK } from './limits.js';
import { toFloat32 } from './widen.js';

/** A buffer of the file, which several tensors may share. */
export class TensorStorage {
  constructor(
    readonly source: ByteSource,
    /** torch's key of the storage, unique within its file. */
    readonly key: string,
    readonly dtype: DType,
    /** Number of values of `dtype`. */
    readonly elements: number,
    /** Byte offset in the file. In legacy files it is only known at their end, and -1 until then. */
    public fileOffset: number,
    /** torch's device tag, as saved (`cpu`, `cuda:0`). */
    readonly location = 'cpu',
  ) {}

  get byteLength(): number {
    return this.elements * ITEM_BYTES[this.dtype];
  }
}

/** A checkpoint's description of a tensor. Sizes and strides count values, not bytes. */
export interface TensorRecord {
  readonly storage: TensorStorage;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Index in the storage of the tensor's first value. */
  readonly offset: number;
  /** Whether the values are the negated stored values: torch's negative bit. */
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

/** Negates values in place: 16-bit floats by flipping their sign bits, integers modulo their range, as torch does. */
function negate(values: TensorValues, dtype: DType): void {
  if (values instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) values[i] = -values[i];
  } else if (dtype === 'float16' || dtype === 'bfloat16') {
    for (let i = 0; i < values.length; i++) (values as Uint16Array)[i] ^= 0x8000;
  } else {
    for (let i = 0; i < values.length; i++) values[i] = -values[i];
  }
}

/** A tensor that has been checked against its storage and can be read. */
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
   * A tensor whose values the file does not hold completely, or holds in an unsupported form.
   * @param reason a clause after "the tensor": what it is, and what to save instead
   * @throws CheckpointError 'tensor-format', 'tensor-bounds' for impossible sizes
   */
  static unreadable(dtype: DType, shape: readonly number[], reason: string, at?: number): StoredTensor {
    const storage = new TensorStorage(NO_BYTES, '', dtype, 0, 0);
    const strides = rowMajorStrides(shape);
    return new StoredTensor({ storage, dtype, shape, strides, offset: 0 }, at, reason);
  }

  /** Why the values cannot be read, as a clause after "the tensor"; undefined if they can be. */
  get problem(): string | undefined {
    if (this.unreadable !== undefined) return this.unreadable;
    if (isReadable(this.dtype)) return undefined;
    return `is of type ${this.dtype}; save it as float32, float16, bfloat16 or an integer type`;
  }

  /** A copy of this tensor as a parameter, as torch creates one. */
  asParameter(): StoredTensor {
    const parameter: StoredTensor = Object.assign(Object.create(StoredTensor.prototype), this);
    parameter.isParameter = true;
    return parameter;
  }

  /**
   * @param at offset in the file of the record, for messages
   * @throws CheckpointError 'tensor-format' (rank, sizes, strides), 'tensor-bounds' (reaches outside the storage, or expands a
   * small storage to a large tensor)
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
    const elements = shape.includes(0) ? 0 : elementsOf(shape);
    // Both may be rounded beyond 2^53, where they are far larger than any storage.
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
   * Reads the values in row-major order, as stored (see TensorValues for 16-bit floats and bool). Only the part of the storage
   * that the tensor spans is read, at most 16 MiB at a time.
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
    const values = typedValues(dtype, buffer);
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
   * Reads the values in row-major order as float32: float16 and bfloat16 are widened exactly, float64 and integers rounded to
   * nearest.
   * @throws CheckpointError as `read`
   */
  async readFloat32(): Promise<Float32Array> {
    const values = await this.read();
    return isReadable(this.dtype) ? toFloat32(values, this.dtype) : new Float32Array(0);
  }
}
