// Little-endian fields out of a byte buffer, with every step checked.

import { CheckpointError } from './errors.js';
import { MAX_GLOBAL_NAME, MAX_INTEGER_BYTES, MAX_STRING_BYTES } from './limits.js';

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A reading position in the bytes of a pickle. */
export class PickleCursor {
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    /** Index of the next byte. */
    public position: number,
    /** Offset in the file of `bytes[0]`, for messages. */
    private readonly base: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset in the file of the next byte. */
  get offset(): number {
    return this.base + this.position;
  }

  private advance(length: number): number {
    const start = this.position;
    if (start + length > this.bytes.byteLength) {
      throw new CheckpointError(
        'truncated',
        `the pickle ends where ${length} more bytes are wanted`,
        this.offset,
      );
    }
    this.position = start + length;
    return start;
  }

  uint8(): number {
    return this.bytes[this.advance(1)];
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  /** BINFLOAT's number: the one big-endian field of the format. */
  float64(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  /** A copy of the next `length` bytes. */
  take(length: number): Uint8Array {
    return this.peekString(length).slice();
  }

  private peekString(length: number): Uint8Array {
    if (length > MAX_STRING_BYTES) {
      const message = `the pickle has a string of ${length} bytes; at most ${MAX_STRING_BYTES} are read`;
      throw new CheckpointError('limit', message, this.offset);
    }
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** UTF-8 text. Python writes lone surrogates too; they are refused, torch never needs them. */
  text(length: number): string {
    const at = this.offset;
    try {
      return STRICT_UTF8.decode(this.peekString(length));
    } catch (error) {
      if (error instanceof CheckpointError) throw error;
      throw new CheckpointError('pickle-format', 'the pickle has a text that is not UTF-8', at);
    }
  }

  /** A Python 2 byte string: text if it is UTF-8, else bytes. */
  oldString(length: number): string | Uint8Array {
    const bytes = this.take(length);
    try {
      return STRICT_UTF8.decode(bytes);
    } catch {
      return bytes;
    }
  }

  /** A two's complement integer of `length` bytes: a number if it fits 53 bits, else a bigint. */
  integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) {
      const message = `the pickle has an integer of ${length} bytes; at most ${MAX_INTEGER_BYTES} are read`;
      throw new CheckpointError('limit', message, this.offset);
    }
    const bytes = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    value = BigInt.asIntN(8 * length, value);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  }

  /** The text up to a line feed, without it. */
  line(): string {
    const at = this.offset;
    const length = this.bytes.subarray(this.position, this.position + MAX_GLOBAL_NAME + 1).indexOf(0x0a);
    if (length < 0) {
      if (this.position + MAX_GLOBAL_NAME >= this.bytes.byteLength) this.advance(MAX_GLOBAL_NAME + 1);
      throw new CheckpointError('limit', `the pickle has a name of over ${MAX_GLOBAL_NAME} characters`, at);
    }
    const text = this.text(length);
    this.position++;
    return text;
  }
}
