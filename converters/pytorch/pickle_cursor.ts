// Reads little-endian fields from a byte buffer, with bounds checks.

import { CheckpointError } from './errors.js';
import { MAX_GLOBAL_NAME, MAX_INTEGER_BYTES, MAX_STRING_BYTES } from './limits.js';

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Replaces encoded lone surrogates, which are not valid UTF-8, with U+FFFD; returns `bytes` itself if there are none. */
function replaceSurrogates(bytes: Uint8Array): Uint8Array {
  let replaced = bytes;
  for (let i = bytes.indexOf(0xed); i >= 0; i = bytes.indexOf(0xed, i + 1)) {
    if (bytes[i + 1] < 0xa0 || i + 2 >= bytes.byteLength) continue;
    if (replaced === bytes) replaced = bytes.slice();
    replaced.set([0xef, 0xbf, 0xbd], i);
  }
  return replaced;
}

/** Decodes a Python 2 byte string: text if it is UTF-8, else bytes. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return bytes;
  }
}

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

  /** The next byte, without consuming it; undefined at the end. */
  get next(): number | undefined {
    return this.bytes[this.position];
  }

  private advance(length: number): number {
    const start = this.position;
    if (start + length > this.bytes.byteLength) {
      throw new CheckpointError(
        'truncated',
        `the pickle ends where ${length} more bytes are expected`,
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

  /** The number of BINFLOAT: the only big-endian field of the format. */
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

  /** UTF-8 text. Python also writes lone surrogates; they become U+FFFD. */
  text(length: number): string {
    const at = this.offset;
    const bytes = this.peekString(length);
    try {
      return STRICT_UTF8.decode(replaceSurrogates(bytes));
    } catch {
      throw new CheckpointError('pickle-format', 'the pickle has a text that is not UTF-8', at);
    }
  }

  /** A Python 2 byte string. */
  oldString(length: number): string | Uint8Array {
    return textOrBytes(this.take(length));
  }

  /** A two's complement integer of `length` bytes: a number if it fits in 53 bits, else a bigint. */
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

  /** An eight-byte length, as in protocol 4; lengths beyond 2^53 exceed every limit. */
  uint64(): number {
    return Number(this.view.getBigUint64(this.advance(8), true));
  }

  /** Checks that `length` more bytes are available, as a frame announces. */
  expect(length: number): void {
    this.position = this.advance(length);
  }

  /** The bytes up to a line feed, without it. */
  private lineBytes(longest: number, what: string): Uint8Array {
    const at = this.offset;
    const length = this.bytes.subarray(this.position, this.position + longest + 1).indexOf(0x0a);
    if (length < 0) {
      if (this.position + longest >= this.bytes.byteLength) this.advance(longest + 1);
      throw new CheckpointError('limit', `the pickle has ${what} of over ${longest} characters`, at);
    }
    const line = this.bytes.subarray(this.position, this.position + length);
    this.position += length + 1;
    return line;
  }

  /** A module or class name: the text up to a line feed. */
  line(): string {
    const at = this.offset;
    const line = this.lineBytes(MAX_GLOBAL_NAME, 'a name');
    try {
      return STRICT_UTF8.decode(line);
    } catch {
      throw new CheckpointError('pickle-format', 'the pickle has a text that is not UTF-8', at);
    }
  }

  /** The argument of an opcode of protocol 0: the text up to a line feed, one character per byte. */
  latin1Line(): string {
    return latin1(this.lineBytes(MAX_STRING_BYTES, 'a string'));
  }

  /** The index of a memo entry, in decimal. */
  decimalIndex(): number {
    const at = this.offset;
    const text = latin1(this.lineBytes(MAX_GLOBAL_NAME, 'a number'));
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    throw new CheckpointError('pickle-format', 'the pickle has a memo index that is not a number', at);
  }
}

const LATIN1_PIECE = 8192;

function latin1(bytes: Uint8Array): string {
  // TextDecoder's latin1 is windows-1252, which differs for 27 characters.
  let text = '';
  for (let i = 0; i < bytes.byteLength; i += LATIN1_PIECE) {
    text += String.fromCharCode(...bytes.subarray(i, i + LATIN1_PIECE));
  }
  return text;
}
