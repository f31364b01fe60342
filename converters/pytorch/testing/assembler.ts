// A pickle assembler: the bytes of any opcode stream, valid or hostile. For numbers and strings it chooses the same opcodes as
// Python's pickler (protocol 2).

import { OP } from '../pickle_opcodes.js';

/** A growing byte buffer. */
export class ByteBuilder {
  private bytes = new Uint8Array(1024);
  private view = new DataView(this.bytes.buffer);
  length = 0;

  private grow(extra: number): number {
    const at = this.length;
    if (at + extra > this.bytes.byteLength) {
      const larger = new Uint8Array(Math.max(2 * this.bytes.byteLength, at + extra));
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.length = at + extra;
    return at;
  }

  raw(bytes: ArrayLike<number>): this {
    const at = this.grow(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  uint8(value: number): this {
    const at = this.grow(1);
    this.view.setUint8(at, value);
    return this;
  }

  uint16(value: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, value, true);
    return this;
  }

  uint32(value: number): this {
    const at = this.grow(4);
    this.view.setUint32(at, value, true);
    return this;
  }

  uint64(value: number | bigint): this {
    const at = this.grow(8);
    this.view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  float64BigEndian(value: number): this {
    const at = this.grow(8);
    this.view.setFloat64(at, value, false);
    return this;
  }

  text(text: string): this {
    return this.raw(new TextEncoder().encode(text));
  }

  /** A copy of what has been written. */
  build(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** Opcodes by name (`op('MARK', 'EMPTY_LIST')`), and values as Python pickles them. */
export class Assembler extends ByteBuilder {
  /** Starts with the protocol, unless it is null. */
  constructor(protocol: number | null = 2) {
    super();
    if (protocol !== null) this.op('PROTO').uint8(protocol);
  }

  op(...names: (keyof typeof OP)[]): this {
    for (const name of names) this.uint8(OP[name]);
    return this;
  }

  int(value: number | bigint): this {
    if (typeof value === 'bigint' || value < -0x80000000 || value > 0x7fffffff)
      return this.long(BigInt(value));
    if (value >= 0 && value < 0x100) return this.op('BININT1').uint8(value);
    if (value >= 0 && value < 0x10000) return this.op('BININT2').uint16(value);
    return this.op('BININT').uint32(value >>> 0);
  }

  /** LONG1: two's complement, in as few bytes as hold the sign. */
  long(value: bigint): this {
    const bytes: number[] = [];
    let rest = value;
    do {
      bytes.push(Number(rest & 0xffn));
      rest >>= 8n;
    } while (BigInt.asIntN(8 * bytes.length, value) !== value);
    return this.op('LONG1').uint8(bytes.length).raw(bytes);
  }

  float(value: number): this {
    return this.op('BINFLOAT').float64BigEndian(value);
  }

  unicode(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.op('BINUNICODE').uint32(bytes.byteLength).raw(bytes);
  }

  global(module: string, name: string): this {
    return this.op('GLOBAL').text(`${module}\n${name}\n`);
  }

  /** The finished pickle. */
  stop(): Uint8Array {
    return this.op('STOP').build();
  }
}
