// The zip files that torch.save writes: stored (uncompressed), contiguous entries, each under `<archive>/`. Not a general zip
// reader: what torch does not write is refused. Every byte before the directory belongs to an entry, every entry's CRC-32 is
// checked, and local headers must agree with the directory, so that no two programs can see different contents in one file.

import type { ByteSource } from '../byte_source.js';
import type { IgnoredEntry } from './container.js';
import { crc32 } from './crc32.js';
import { CheckpointError, quote } from './errors.js';
import { FilePass, type PassOptions, readBytes } from './file_pass.js';
import { MAX_PICKLE_BYTES, MAX_ZIP_EXTRA_BYTES } from './limits.js';
import {
  FLAG_DESCRIPTOR,
  HARMLESS_EXTRAS,
  readExtraFields,
  readUint64,
  readZipDirectory,
  viewOf,
  ZIP64_EXTRA,
  type ZipDirectory,
  type ZipEntry,
} from './zip_directory.js';

const LOCAL_HEADER = 0x04034b50;
const LOCAL_BYTES = 30;
const DESCRIPTOR = 0x08074b50;
const DESCRIPTOR_BYTES = 16;
const ZIP64_DESCRIPTOR_BYTES = 24;

/** torch's own extra field, 'FB': padding that aligns the data, filled with the letter Z. */
const PADDING_EXTRA = 0x4246;
const PADDING_BYTE = 0x5a;

const SEE_ZIP64_32 = 0xffffffff;

/** A validated torch archive. */
export interface TorchArchive {
  readonly sha256: string;
  /** Name of the folder that contains all entries; '' if there is none. */
  readonly archiveName: string;
  /** Entries by their name in that folder: `data.pkl`, `data/0`, `version`, ... */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Parts of the file that were not used or not checked, and why. */
  readonly ignored: readonly IgnoredEntry[];
}

function checkLayout({ entries, offset }: ZipDirectory): {
  archiveName: string;
  inside: Map<string, ZipEntry>;
} {
  for (let i = 0; i < entries.length; i++) {
    const { name, headerOffset, size, recordOffset } = entries[i];
    const end = i + 1 < entries.length ? entries[i + 1].headerOffset : offset;
    if (headerOffset + LOCAL_BYTES + size > end) {
      throw new CheckpointError(
        'zip-overlap',
        `the zip entry ${quote(name)} overlaps the next one`,
        recordOffset,
      );
    }
  }
  const pickles = entries.filter(({ name }) => /(^|\/)data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new CheckpointError(
      'zip-format',
      `the zip has ${pickles.length} entries "<name>/data.pkl" where torch writes one: it is not a torch checkpoint`,
      offset,
    );
  }
  const [pickle] = pickles;
  const prefix = pickle.name.slice(0, -'data.pkl'.length);
  const inside = new Map<string, ZipEntry>();
  for (const entry of entries) {
    // The enclosing folders may have their own entries.
    if (entry.name.endsWith('/') && prefix.startsWith(entry.name)) continue;
    if (!entry.name.startsWith(prefix)) {
      throw new CheckpointError(
        'zip-name',
        `the zip entry ${quote(entry.name)} lies outside the folder ${quote(prefix.slice(0, -1))}`,
        entry.recordOffset,
      );
    }
    inside.set(entry.name.slice(prefix.length), entry);
  }
  if (pickle.size > MAX_PICKLE_BYTES) {
    throw new CheckpointError(
      'limit',
      `data.pkl has ${pickle.size} bytes; at most ${MAX_PICKLE_BYTES} are read`,
      pickle.recordOffset,
    );
  }
  return { archiveName: prefix.slice(0, -1), inside };
}

/** @param wideSizes whether the size fields of the header are too small and refer to the zip64 field */
function checkLocalExtra(extra: Uint8Array, entry: ZipEntry, offset: number, wideSizes: boolean): void {
  let wide = false;
  for (const [id, content] of readExtraFields(extra, offset)) {
    if (id === PADDING_EXTRA && content.every((byte) => byte === PADDING_BYTE)) continue;
    if (HARMLESS_EXTRAS.has(id)) continue;
    if (id === ZIP64_EXTRA && content.byteLength % 8 === 0) {
      const view = viewOf(content);
      const words: number[] = [];
      for (let at = 0; at < content.byteLength; at += 8) words.push(readUint64(view, at, offset));
      const { size, headerOffset } = entry;
      const forms = [
        [size, size],
        [size, size, headerOffset],
      ];
      if (!wideSizes) forms.push([headerOffset]);
      wide = forms.some((form) => form.length === words.length && form.every((word, k) => word === words[k]));
      if (wide) continue;
    }
    throw new CheckpointError(
      'zip-format',
      `the local header of ${quote(entry.name)} has an unexpected extra field 0x${id.toString(16)}`,
      offset,
    );
  }
  if (wideSizes && !wide) {
    const message = `the local header of ${quote(entry.name)} has no zip64 field for its size`;
    throw new CheckpointError('zip-format', message, offset);
  }
}

/**
 * Checks one entry: header, data, descriptor; ends where the next one must start.
 * @param checksums whether the file has any: torch can be configured to write zeros
 */
async function checkEntry(
  pass: FilePass,
  entry: ZipEntry,
  nextOffset: number,
  checksums: boolean,
): Promise<void> {
  const start = pass.position;
  const fail = (problem: string, offset = start): never => {
    throw new CheckpointError('zip-format', `the zip entry ${quote(entry.name)} ${problem}`, offset);
  };
  if (start !== entry.headerOffset)
    fail(`starts at byte ${entry.headerOffset}; unaccounted bytes lie before it`);
  const header = await pass.take(LOCAL_BYTES, 'a local header');
  const view = viewOf(header);
  if (view.getUint32(0, true) !== LOCAL_HEADER) fail('has no local header where the directory says');
  const nameBytes = view.getUint16(26, true);
  const extraBytes = view.getUint16(28, true);
  if (nextOffset - pass.position < nameBytes + extraBytes + entry.size || extraBytes > MAX_ZIP_EXTRA_BYTES) {
    throw new CheckpointError(
      'zip-overlap',
      `the zip entry ${quote(entry.name)} overlaps the next one`,
      start,
    );
  }
  const variable = await pass.take(nameBytes + extraBytes, 'a local header');
  const name = new TextDecoder().decode(variable.subarray(0, nameBytes));
  if (name !== entry.name) fail(`is called ${quote(name)} in its local header`);
  if (!entry.common.every((byte, i) => byte === header[4 + i]))
    fail('has another local header than directory record');
  const wideSizes = view.getUint32(22, true) === SEE_ZIP64_32;
  checkLocalExtra(variable.subarray(nameBytes), entry, start + LOCAL_BYTES + nameBytes, wideSizes);

  const hasDescriptor = (view.getUint16(6, true) & FLAG_DESCRIPTOR) !== 0;
  const local = [view.getUint32(14, true), view.getUint32(18, true), view.getUint32(22, true)];
  const shortSize = wideSizes ? SEE_ZIP64_32 : entry.size;
  const repeats = local[0] === entry.crc && local[1] === shortSize && local[2] === shortSize;
  const defers = hasDescriptor && local.every((value) => value === 0);
  if (!repeats && !defers) fail('has another CRC or size in its local header than in the directory');

  entry.dataOffset = pass.position;
  let crc = 0;
  await pass.drain(entry.size, `the zip entry ${quote(entry.name)}`, (bytes) => {
    crc = crc32(bytes, crc);
  });
  if (checksums && crc !== entry.crc) {
    throw new CheckpointError(
      'crc-mismatch',
      `the zip entry ${quote(entry.name)} does not match its CRC-32 (0x${crc.toString(16)} found, ` +
        `0x${entry.crc.toString(16)} recorded): the file is damaged, or was saved without checksums`,
      entry.dataOffset,
    );
  }
  const gap = nextOffset - pass.position;
  if (!hasDescriptor) {
    if (gap !== 0) fail(`is followed by ${gap} bytes that belong to nothing`, pass.position);
    return;
  }
  if (gap !== DESCRIPTOR_BYTES && gap !== ZIP64_DESCRIPTOR_BYTES) {
    fail(`is followed by ${gap} bytes where a data descriptor of 16 or 24 is expected`, pass.position);
  }
  const at = pass.position;
  const descriptor = viewOf(await pass.take(gap, 'a data descriptor'));
  const sizes =
    gap === DESCRIPTOR_BYTES
      ? [descriptor.getUint32(8, true), descriptor.getUint32(12, true)]
      : [readUint64(descriptor, 8, at), readUint64(descriptor, 16, at)];
  const agrees =
    descriptor.getUint32(0, true) === DESCRIPTOR &&
    descriptor.getUint32(4, true) === entry.crc &&
    sizes.every((size) => size === entry.size);
  if (!agrees) fail('has a data descriptor that contradicts the directory', at);
}

/**
 * Opens and checks a torch zip, reading the file once from start to end.
 * @throws CheckpointError 'truncated', 'zip-format', 'zip-unsupported', 'zip-name', 'zip-overlap', 'crc-mismatch',
 * 'not-a-checkpoint' (a program), 'limit', 'aborted', 'read-failed'
 */
export async function openTorchZip(source: ByteSource, options: PassOptions = {}): Promise<TorchArchive> {
  const directory = await readZipDirectory(source);
  const { archiveName, inside } = checkLayout(directory);
  const pass = new FilePass(source, options);
  const { entries, trailing } = directory;
  const checksums = entries.some(({ crc }) => crc !== 0);
  for (let i = 0; i < entries.length; i++) {
    const next = i + 1 < entries.length ? entries[i + 1].headerOffset : directory.offset;
    await checkEntry(pass, entries[i], next, checksums);
  }
  const ignored: IgnoredEntry[] = [];
  if (trailing > 0) ignored.push({ name: `${trailing} bytes`, reason: "after the zip's end, not read" });
  if (!checksums) {
    const reason = 'all are 0, so that damage to the values cannot be noticed; compare the SHA-256';
    ignored.push({ name: 'checksums', reason });
  }
  return { sha256: await pass.finish(), archiveName, entries: inside, ignored };
}

/** The data of an entry, which must have at most `limit` bytes. */
export async function readEntry(source: ByteSource, entry: ZipEntry, limit: number): Promise<Uint8Array> {
  if (entry.size > limit) {
    const message = `the zip entry ${quote(entry.name)} has ${entry.size} bytes; at most ${limit} are read`;
    throw new CheckpointError('limit', message, entry.dataOffset);
  }
  return readBytes(source, entry.dataOffset, entry.size, `the zip entry ${quote(entry.name)}`);
}
