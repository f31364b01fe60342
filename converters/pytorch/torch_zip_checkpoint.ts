// Reads a torch zip as values: its pickle, with each storage resolved to an entry.

import type { ByteSource } from '../byte_source.js';
import type { OpenedContainer } from './container.js';
import { ITEM_BYTES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import type { PassOptions } from './file_pass.js';
import { MAX_PICKLE_BYTES } from './limits.js';
import { type PickleOptions, readPickle, type Unpickled } from './pickle.js';
import type { StorageId } from './storage_id.js';
import { TensorStorage } from './tensor.js';
import { openTorchZip, readEntry, type TorchArchive } from './zip.js';

/** Length of the small text entries (`version`, `byteorder`). */
export const MAX_TEXT_ENTRY_BYTES = 64;

/** @throws CheckpointError 'byte-order' for values in the other byte order */
export function checkByteOrder(byteOrder: string | undefined, offset?: number): void {
  if (byteOrder === undefined || byteOrder === 'little') return;
  throw new CheckpointError(
    'byte-order',
    `the checkpoint says its byte order is ${quote(byteOrder)}; only little-endian files are read`,
    offset,
  );
}

/** Reads data.pkl, which holds one pickle. @throws CheckpointError as `readPickle`, 'pickle-format' for bytes after it */
export function readDataPickle(
  bytes: Uint8Array,
  fileOffset: number,
  storage: PickleOptions['storage'],
): Unpickled {
  const unpickled = readPickle(bytes, { fileOffset, storage });
  if (unpickled.end !== bytes.byteLength) {
    const message = `${bytes.byteLength - unpickled.end} bytes follow the end of the pickle in data.pkl`;
    throw new CheckpointError('pickle-format', message, fileOffset + unpickled.end);
  }
  return unpickled;
}

/** The metadata of an archive: its name, and its small text entries. */
export function archiveMetadata(archive: string, version?: string, byteorder?: string): Map<string, string> {
  const metadata = { archive, version, byteorder };
  return new Map(
    Object.entries(metadata).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

async function readText(
  source: ByteSource,
  archive: TorchArchive,
  name: string,
): Promise<string | undefined> {
  const entry = archive.entries.get(name);
  if (entry === undefined) return undefined;
  return new TextDecoder('latin1').decode(await readEntry(source, entry, MAX_TEXT_ENTRY_BYTES)).trim();
}

/** Finds the entry of each storage; one object per storage, however many tensors share it. */
function storageFinder(
  source: ByteSource,
  archive: TorchArchive,
): (id: StorageId, at: number) => TensorStorage {
  const found = new Map<string, TensorStorage>();
  return ({ key, dtype, elements, location }, at) => {
    const known = found.get(`${dtype}:${key}`);
    if (known?.elements === elements) return known;
    const entry = archive.entries.get(`data/${key}`);
    const bytes = elements * ITEM_BYTES[dtype];
    if (entry?.size !== bytes) {
      const held = entry === undefined ? 'has none' : `has ${entry.size}`;
      const message = `the pickle expects ${bytes} bytes of the storage ${quote(key)}, the zip ${held}`;
      throw new CheckpointError('storage-size', message, at);
    }
    const storage = new TensorStorage(source, key, dtype, elements, entry.dataOffset, location);
    found.set(`${dtype}:${key}`, storage);
    return storage;
  };
}

/**
 * Opens a zip written by torch.save, checks all of it, and reads its pickle.
 * @throws CheckpointError as `openTorchZip` and `readPickle`, 'byte-order', 'storage-size'
 */
export async function openZipCheckpoint(
  source: ByteSource,
  options: PassOptions = {},
): Promise<OpenedContainer> {
  const archive = await openTorchZip(source, options);
  const byteOrder = await readText(source, archive, 'byteorder');
  checkByteOrder(byteOrder, archive.entries.get('byteorder')?.dataOffset);
  const entry = archive.entries.get('data.pkl');
  if (entry === undefined) throw new CheckpointError('zip-format', 'the zip has no data.pkl');
  const pickle = await readEntry(source, entry, MAX_PICKLE_BYTES);
  const { value, inert } = readDataPickle(pickle, entry.dataOffset, storageFinder(source, archive));
  const metadata = archiveMetadata(
    archive.archiveName,
    await readText(source, archive, 'version'),
    byteOrder,
  );
  return { sha256: archive.sha256, value, inert, metadata, ignored: archive.ignored };
}
