// The end records and the central directory of a zip, restricted to what torch writes. Layout: PKWARE APPNOTE 6.3.10, sections
// 4.3.12 to 4.3.16 and 4.5.3.

import type { ByteSource } from '../byte_source.js';
import { CheckpointError, quote } from './errors.js';
import { readBytes } from './file_pass.js';
import { MAX_ZIP_DIRECTORY_BYTES, MAX_ZIP_ENTRIES, MAX_ZIP_NAME_BYTES } from './limits.js';

/** An entry's record in the central directory. */
export interface ZipEntry {
  readonly name: string;
  /** Compression method; 0 is none. */
  readonly method: number;
  /** Offset of the local header in the file. */
  readonly headerOffset: number;
  /** Bytes of the (uncompressed) data. */
  readonly size: number;
  readonly crc: number;
  /** Version needed, flags, method, time and date: ten bytes that the local header must repeat. */
  readonly common: Uint8Array;
  /** Offset of the entry's record in the central directory, for messages. */
  readonly recordOffset: number;
  /** Offset of the data; known once the local header has been read. */
  dataOffset: number;
}

/** The directory: entries in the order of their data in the file. */
export interface ZipDirectory {
  readonly entries: readonly ZipEntry[];
  /** Offset of the central directory: the entries end here. */
  readonly offset: number;
  /** Bytes of the file after the zip's end. */
  readonly trailing: number;
}

const END_RECORD = 0x06054b50;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_END_RECORD = 0x06064b50;
const CENTRAL_RECORD = 0x02014b50;

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const ZIP64_END_BYTES = 56;
const CENTRAL_BYTES = 46;

/** Maximum length of the comment at the end of a zip, and so the maximum distance of the end record from the end of the file. */
const MAX_COMMENT_BYTES = 0xffff;

/** Marks a field whose value is in the zip64 record. */
const SEE_ZIP64_16 = 0xffff;
const SEE_ZIP64_32 = 0xffffffff;

/** The spec version that zip64 came with, times ten. */
const ZIP64_VERSION = 45;

/** "Version made by" of zip64 end records: miniz (torch) writes 3.0 Unix, Python's zipfile 4.5 for MS-DOS or Unix. */
const ZIP64_MADE_BY = [0x031e, 0x002d, 0x032d];

const FLAG_ENCRYPTED = 0x0001;
export const FLAG_DESCRIPTOR = 0x0008;
const FLAG_UTF8 = 0x0800;
const FLAGS_STRONG_ENCRYPTION = 0x2040;

export const ZIP64_EXTRA = 0x0001;

/** Extra fields with times and owners of files: Info-ZIP's UT, UX, Ux and ux, and NTFS's. */
export const HARMLESS_EXTRAS: ReadonlySet<number> = new Set([0x5455, 0x5855, 0x7855, 0x7875, 0x000a]);

/** Spec versions written by archivers, times ten; torch writes 0. A single flipped bit in a 0 gives none of them. */
const PACKER_VERSIONS: ReadonlySet<number> = new Set([20, 21, 23, 25, 30, 31, 45, 46, 51, 52, 61, 62, 63]);

/** A 64-bit field as a number. @throws CheckpointError 'zip-format' beyond 2^53. */
export function readUint64(view: DataView, position: number, fileOffset: number): number {
  const value = view.getBigUint64(position, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new CheckpointError('zip-format', `the zip claims a size or offset of ${value} bytes`, fileOffset);
  }
  return Number(value);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The extra fields of a header, by id. @throws CheckpointError 'zip-format' if they do not fill their space. */
export function readExtraFields(bytes: Uint8Array, fileOffset: number): Map<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  let at = 0;
  while (at < bytes.byteLength) {
    const length = at + 4 <= bytes.byteLength ? view.getUint16(at + 2, true) : 0;
    const id = at + 4 <= bytes.byteLength ? view.getUint16(at, true) : -1;
    if (id < 0 || at + 4 + length > bytes.byteLength || fields.has(id)) {
      throw new CheckpointError(
        'zip-format',
        'the extra fields of a zip header are malformed',
        fileOffset + at,
      );
    }
    fields.set(id, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return fields;
}

interface EndRecord {
  readonly entries: number;
  readonly size: number;
  readonly offset: number;
  /** Bytes of the file after the zip's end. */
  readonly trailing: number;
}

/**
 * The last bytes of the file, from shortly before the end record, and the record's position in them. As in torch's reader, the
 * last end record is used, and bytes may follow it.
 */
async function findEndRecord(
  source: ByteSource,
): Promise<{ tail: Uint8Array; at: number; tailOffset: number }> {
  const before = LOCATOR_BYTES + ZIP64_END_BYTES;
  for (const searched of [END_BYTES, END_BYTES + MAX_COMMENT_BYTES]) {
    const tailBytes = Math.min(source.size, searched + before);
    const tailOffset = source.size - tailBytes;
    const tail = await readBytes(source, tailOffset, tailBytes, "the zip's end record");
    const view = viewOf(tail);
    for (let at = tailBytes - END_BYTES; at >= Math.max(0, tailBytes - searched); at--) {
      if (view.getUint32(at, true) === END_RECORD) return { tail, at, tailOffset };
    }
  }
  throw new CheckpointError(
    'truncated',
    'the zip has no end record: the file is incomplete (download or copy it again) or damaged',
    source.size,
  );
}

async function readEndRecord(source: ByteSource): Promise<EndRecord> {
  const { tail, at, tailOffset } = await findEndRecord(source);
  const view = viewOf(tail);
  const fail = (problem: string, position = at): never => {
    throw new CheckpointError('zip-format', `the zip's end record ${problem}`, tailOffset + position);
  };
  const end = at + END_BYTES + view.getUint16(at + 20, true);
  if (end > tail.byteLength) fail('announces a comment that is longer than the file');
  const trailing = tail.byteLength - end;
  const disks = view.getUint16(at + 4, true) + view.getUint16(at + 6, true);
  if (disks !== 0) {
    throw new CheckpointError('zip-unsupported', 'the zip is one part of several', tailOffset + at);
  }
  const short = {
    entries: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  if (view.getUint16(at + 8, true) !== short.entries) fail('contradicts itself about the number of entries');

  const locator = at - LOCATOR_BYTES;
  if (locator < 0 || view.getUint32(locator, true) !== ZIP64_LOCATOR) {
    if (tailOffset + at !== short.offset + short.size) {
      fail(`puts the directory at ${short.offset}..${short.offset + short.size}, not right before it`);
    }
    return { ...short, trailing };
  }
  const long = locator - ZIP64_END_BYTES;
  if (long < 0 || view.getUint32(long, true) !== ZIP64_END_RECORD)
    fail('has no zip64 record before it', locator);
  if (
    readUint64(view, locator + 8, tailOffset + locator) !== tailOffset + long ||
    view.getUint32(locator + 4, true) !== 0 ||
    view.getUint32(locator + 16, true) !== 1
  ) {
    fail('has a zip64 locator that points elsewhere', locator);
  }
  const wide = {
    entries: readUint64(view, long + 32, tailOffset + long),
    size: readUint64(view, long + 40, tailOffset + long),
    offset: readUint64(view, long + 48, tailOffset + long),
  };
  const plain =
    readUint64(view, long + 4, tailOffset + long) === ZIP64_END_BYTES - 12 &&
    ZIP64_MADE_BY.includes(view.getUint16(long + 12, true)) &&
    view.getUint16(long + 14, true) === ZIP64_VERSION &&
    view.getUint32(long + 16, true) === 0 &&
    view.getUint32(long + 20, true) === 0 &&
    readUint64(view, long + 24, tailOffset + long) === wide.entries;
  if (!plain) fail('has a zip64 record with unexpected contents', long);
  const agrees = (value: number, full: number, marker: number): boolean =>
    value === Math.min(full, marker) || value === marker;
  if (
    !agrees(short.entries, wide.entries, SEE_ZIP64_16) ||
    !agrees(short.size, wide.size, SEE_ZIP64_32) ||
    !agrees(short.offset, wide.offset, SEE_ZIP64_32)
  ) {
    fail('contradicts its zip64 record');
  }
  if (wide.offset + wide.size !== tailOffset + long) fail('does not follow the directory', long);
  return { ...wide, trailing };
}

/** @param folder whether the entry has no data, so that its name may end with a slash */
function checkName(name: string, offset: number, folder: boolean): void {
  const parts = (folder ? name.replace(/\/$/, '') : name).split('/');
  const problem = name.includes('\0')
    ? 'contains a zero byte'
    : name.includes('\\')
      ? 'contains a backslash'
      : name.startsWith('/') || /^[A-Za-z]:/.test(name)
        ? 'is an absolute path'
        : parts.includes('..') || parts.includes('.')
          ? 'climbs out of the archive'
          : parts.includes('')
            ? 'has an empty part'
            : undefined;
  if (problem !== undefined) {
    throw new CheckpointError('zip-name', `the zip entry ${quote(name)} ${problem}`, offset);
  }
}

/** Reads one record; returns it and the position after it. */
function readRecord(
  bytes: Uint8Array,
  at: number,
  base: number,
  directoryOffset: number,
): [ZipEntry, number] {
  const offset = base + at;
  const view = viewOf(bytes);
  const fail = (problem: string): never => {
    throw new CheckpointError('zip-format', `a zip directory record ${problem}`, offset);
  };
  if (at + CENTRAL_BYTES > bytes.byteLength) fail('is cut off');
  if (view.getUint32(at, true) !== CENTRAL_RECORD) fail('does not start with its signature');
  const nameBytes = view.getUint16(at + 28, true);
  const extraBytes = view.getUint16(at + 30, true);
  const end = at + CENTRAL_BYTES + nameBytes + extraBytes + view.getUint16(at + 32, true);
  if (end > bytes.byteLength) fail('is cut off');
  if (nameBytes === 0 || nameBytes > MAX_ZIP_NAME_BYTES) fail(`has a name of ${nameBytes} bytes`);
  if (view.getUint16(at + 34, true) !== 0) fail('lies on another disk');

  let name = '';
  try {
    name = new TextDecoder('utf-8', { fatal: true }).decode(
      bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes),
    );
  } catch {
    fail('has a name that is not UTF-8');
  }
  checkName(name, offset, view.getUint32(at + 24, true) === 0);

  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const unsupported = (what: string): never => {
    throw new CheckpointError('zip-unsupported', `the zip entry ${quote(name)} is ${what}`, offset);
  };
  if (flags & (FLAG_ENCRYPTED | FLAGS_STRONG_ENCRYPTION)) unsupported('encrypted; torch never writes that');
  if (flags & ~(FLAG_DESCRIPTOR | FLAG_UTF8)) fail(`has unknown flags 0x${flags.toString(16)}`);
  if (view.getUint16(at + 6, true) > ZIP64_VERSION) fail('needs a later version of the format');

  const stored = view.getUint32(at + 20, true);
  let size = view.getUint32(at + 24, true);
  let headerOffset = view.getUint32(at + 42, true);
  if (stored !== size && method === 0)
    fail(`says that ${size} bytes are stored in ${stored}, although nothing is compressed`);
  const extraAt = at + CENTRAL_BYTES + nameBytes;
  const fields = readExtraFields(bytes.subarray(extraAt, extraAt + extraBytes), base + extraAt);
  const wide = fields.get(ZIP64_EXTRA);
  for (const id of fields.keys()) {
    if (id !== ZIP64_EXTRA && !HARMLESS_EXTRAS.has(id))
      fail(`has an unknown extra field 0x${id.toString(16)}`);
  }
  const needed = (size === SEE_ZIP64_32 ? 16 : 0) + (headerOffset === SEE_ZIP64_32 ? 8 : 0);
  if (wide === undefined ? needed > 0 : wide.byteLength !== needed || needed === 0)
    fail(`has a zip64 field of ${wide?.byteLength ?? 0} bytes where ${needed} are expected`);
  if (wide !== undefined) {
    const wideView = viewOf(wide);
    if (size === SEE_ZIP64_32) {
      size = readUint64(wideView, 0, offset);
      if (readUint64(wideView, 8, offset) !== size) fail('says that its data is compressed');
    }
    if (headerOffset === SEE_ZIP64_32) headerOffset = readUint64(wideView, needed - 8, offset);
  }
  if (headerOffset + size > directoryOffset)
    fail(`reaches beyond the zip's data (${quote(name)}, ${size} bytes)`);

  const entry: ZipEntry = {
    name,
    method,
    headerOffset,
    size,
    crc: view.getUint32(at + 16, true),
    common: bytes.slice(at + 6, at + 16),
    recordOffset: offset,
    dataOffset: -1,
  };
  return [entry, end];
}

/** Program archives that may also contain a data.pkl, recognised by entry names. */
const PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [
    /^(.*\/)?(constants\.pkl|code\/.*)$/,
    'a TorchScript program (torch.jit.save); load it with torch.jit.load and save its state_dict() with torch.save',
  ],
  [
    /^(.*\/)?(models\/.*\.json|serialized_exported_program\.json|archive_format)$/,
    'an exported program (torch.export.save); save the state_dict() of the module that it was exported from',
  ],
  [
    /^(.*\/)?\.data\/extern_modules$/,
    'a package of code (torch.package); load it with torch.package and save the state_dict() of its module',
  ],
];

/** Refuses programs by name, then compressed entries: programs are often compressed, and their name is the better message. */
function checkMethods(entries: readonly ZipEntry[]): void {
  for (const { name, recordOffset } of entries) {
    const program = PROGRAMS.find(([pattern]) => pattern.test(name));
    if (program !== undefined) {
      throw new CheckpointError('not-a-checkpoint', `the file is ${program[1]}`, recordOffset);
    }
  }
  if (entries.length > 0 && entries.every(({ name }) => name.endsWith('.npy'))) {
    const message = 'the file is a set of NumPy arrays (.npz); a PyTorch checkpoint is expected';
    throw new CheckpointError('not-a-checkpoint', message, entries[0].recordOffset);
  }
  const compressed = entries.find(({ method }) => method !== 0);
  if (compressed === undefined) return;
  const { name, method, recordOffset } = compressed;
  throw new CheckpointError(
    'zip-unsupported',
    `the zip entry ${quote(name)} is compressed (method ${method}); torch writes uncompressed entries only`,
    recordOffset,
  );
}

/**
 * Who made an entry and its attributes have no meaning here. torch's writer writes the same values for every entry, so a damaged
 * byte is visible in its files; archivers record each file's permissions.
 * @param records each entry's record in the directory
 */
function checkAttributes(entries: readonly ZipEntry[], records: readonly Uint8Array[]): void {
  if (records.every((record) => PACKER_VERSIONS.has(record[4]))) return;
  const first = entries.findIndex(({ name }) => !name.endsWith('/'));
  for (const [i, { name, recordOffset }] of entries.entries()) {
    if (name.endsWith('/')) continue;
    if ([4, 5, 36, 37, 38, 39, 40, 41].some((k) => records[i][k] !== records[first][k])) {
      throw new CheckpointError(
        'zip-format',
        `the zip entry ${quote(name)} has other attributes than the first one`,
        recordOffset,
      );
    }
  }
}

/**
 * Reads and validates the directory, but not the entries themselves.
 * @throws CheckpointError 'truncated', 'zip-format', 'zip-unsupported', 'zip-name', 'zip-overlap', 'limit'
 */
export async function readZipDirectory(source: ByteSource): Promise<ZipDirectory> {
  const end = await readEndRecord(source);
  if (end.entries > MAX_ZIP_ENTRIES || end.size > MAX_ZIP_DIRECTORY_BYTES) {
    throw new CheckpointError(
      'limit',
      `the zip has ${end.entries} entries in a directory of ${end.size} bytes; at most ${MAX_ZIP_ENTRIES} in ` +
        `${MAX_ZIP_DIRECTORY_BYTES} bytes are read`,
      end.offset,
    );
  }
  const bytes = await readBytes(source, end.offset, end.size, "the zip's directory");
  const entries: ZipEntry[] = [];
  const records: Uint8Array[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < end.entries; i++) {
    records.push(bytes.subarray(at));
    const [entry, next] = readRecord(bytes, at, end.offset, end.offset);
    if (names.has(entry.name)) {
      throw new CheckpointError(
        'zip-name',
        `the zip entry ${quote(entry.name)} occurs twice`,
        entry.recordOffset,
      );
    }
    names.add(entry.name);
    entries.push(entry);
    at = next;
  }
  if (at !== bytes.byteLength) {
    throw new CheckpointError('zip-format', 'the zip directory is longer than its entries', end.offset + at);
  }
  checkMethods(entries);
  checkAttributes(entries, records);
  entries.sort((a, b) => a.headerOffset - b.headerOffset);
  return { entries, offset: end.offset, trailing: end.trailing };
}
