// Zips laid out as by torch's writer: stored entries, sizes in data descriptors, data aligned to 64 bytes with an 'FB' field,
// zip64 end records always. Every field can be falsified.

import { crc32 } from '../crc32.js';
import { ByteBuilder } from './assembler.js';

/** Receives the bytes of the file in order; may be asynchronous, to apply backpressure. */
export type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** Data of an entry, whole or in pieces of `size` bytes in all. */
export type EntryData = Uint8Array | { readonly size: number; readonly pieces: () => Iterable<Uint8Array> };

/** False values for fields of an entry. */
export interface EntryLies {
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly size?: number;
  /** Name in the local header only. */
  readonly localName?: string;
  readonly headerOffset?: number;
}

const ALIGNMENT = 64;
const LOCAL_BYTES = 30;
const FLAG_DESCRIPTOR = 0x0008;
const FLAG_UTF8 = 0x0800;
const MARKER = 0xffffffff;

/** Writes a zip to a sink, entry by entry. */
export class ZipWriter {
  private readonly directory = new ByteBuilder();
  private count = 0;
  /** Bytes written so far. */
  offset = 0;

  constructor(
    private readonly sink: Sink,
    /** Whether every entry gets zip64 fields, or only those of 4 GiB and more. */
    private readonly zip64: 'needed' | 'always' = 'needed',
  ) {}

  private async write(bytes: Uint8Array): Promise<void> {
    this.offset += bytes.byteLength;
    await this.sink(bytes);
  }

  async add(name: string, data: EntryData, lies: EntryLies = {}): Promise<void> {
    const headerOffset = this.offset;
    const pieces = data instanceof Uint8Array ? [data] : data.pieces();
    const size = lies.size ?? (data instanceof Uint8Array ? data.byteLength : data.size);
    const nameBytes = new TextEncoder().encode(name);
    const localName = new TextEncoder().encode(lies.localName ?? name);
    const flags = lies.flags ?? (size === 0 ? FLAG_UTF8 : FLAG_DESCRIPTOR | FLAG_UTF8);
    const method = lies.method ?? 0;

    const wideSize = this.zip64 === 'always' || size >= MARKER;
    const wideOffset = this.zip64 === 'always' || headerOffset >= MARKER;
    const wide = new ByteBuilder();
    if (wideSize || wideOffset) wide.uint16(0x0001).uint16((wideSize ? 16 : 0) + (wideOffset ? 8 : 0));
    if (wideSize) wide.uint64(size).uint64(size);
    if (wideOffset) wide.uint64(lies.headerOffset ?? headerOffset);

    const before = headerOffset + LOCAL_BYTES + localName.byteLength + wide.length + 4;
    const padding = (ALIGNMENT - (before % ALIGNMENT)) % ALIGNMENT;
    const local = new ByteBuilder().uint32(0x04034b50).uint16(0).uint16(flags).uint16(method).uint32(0);
    local
      .uint32(0)
      .uint32(0)
      .uint32(0)
      .uint16(localName.byteLength)
      .uint16(wide.length + 4 + padding);
    local.raw(localName).raw(wide.build());
    local.text('FB').uint16(padding).raw(new Uint8Array(padding).fill(0x5a));
    await this.write(local.build());

    let crc = 0;
    for (const piece of pieces) {
      crc = crc32(piece, crc);
      await this.write(piece);
    }
    crc = lies.crc ?? crc;
    if (flags & FLAG_DESCRIPTOR) {
      const descriptor = new ByteBuilder().uint32(0x08074b50).uint32(crc);
      if (wide.length > 0) descriptor.uint64(size).uint64(size);
      else descriptor.uint32(size).uint32(size);
      await this.write(descriptor.build());
    }

    const shortSize = wideSize ? MARKER : size;
    this.directory.uint32(0x02014b50).uint16(0).uint16(0).uint16(flags).uint16(method).uint32(0).uint32(crc);
    this.directory.uint32(shortSize).uint32(shortSize).uint16(nameBytes.byteLength).uint16(wide.length);
    this.directory.uint16(0).uint16(0).uint16(0).uint32(0);
    this.directory.uint32(wideOffset ? MARKER : (lies.headerOffset ?? headerOffset));
    this.directory.raw(nameBytes).raw(wide.build());
    this.count++;
  }

  async finish(): Promise<void> {
    const start = this.offset;
    const size = this.directory.length;
    await this.write(this.directory.build());
    const record = this.offset;
    const end = new ByteBuilder().uint32(0x06064b50).uint64(44).uint16(0x031e).uint16(45).uint32(0).uint32(0);
    end.uint64(this.count).uint64(this.count).uint64(size).uint64(start);
    end.uint32(0x07064b50).uint32(0).uint64(record).uint32(1);
    const short = Math.min(this.count, 0xffff);
    end.uint32(0x06054b50).uint16(0).uint16(0).uint16(short).uint16(short);
    end.uint32(Math.min(size, MARKER)).uint32(Math.min(start, MARKER)).uint16(0);
    await this.write(end.build());
  }
}
