// An unpacked torch zip: a folder with data.pkl and the storages, each a file in data/.

import { type ByteSource, bytesSource } from '../byte_source.js';
import { isSourceDirectory, type SourceDirectory } from '../huggingface/source_directory.js';
import type { Checkpoint } from './checkpoint.js';
import { describeInert } from './container.js';
import { ITEM_BYTES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { FilePass, type PassOptions, readBytes } from './file_pass.js';
import { MAX_PICKLE_BYTES } from './limits.js';
import type { StorageId } from './storage_id.js';
import { TensorStorage } from './tensor.js';
import {
  archiveMetadata,
  checkByteOrder,
  MAX_TEXT_ENTRY_BYTES,
  readDataPickle,
} from './torch_zip_checkpoint.js';

const PICKLE = 'data.pkl';

/** torch names storages by numbers; other names could lead outside the folder. */
const STORAGE_KEY = /^[0-9A-Za-z_]{1,64}$/;

/** The folder that holds `data.pkl`: this one, or the only one in it, as unzip creates. Undefined for any other input. */
export async function findUnpacked(input: object): Promise<SourceDirectory | undefined> {
  if (!isSourceDirectory(input)) return undefined;
  const directory: SourceDirectory = input;
  const names = (await directory.list?.()) ?? [];
  if (names.includes(PICKLE)) return directory;
  const folders = names.filter((name) => name.endsWith('/'));
  if (folders.length !== 1 || names.length !== 1) return undefined;
  const inner = await directory.folder?.(folders[0].slice(0, -1));
  return (await inner?.list?.())?.includes(PICKLE) ? inner : undefined;
}

/** The bytes of a storage, whose file is opened once the pickle has been read. */
class StorageFile implements ByteSource {
  opened: ByteSource | undefined;

  constructor(
    readonly name: string,
    readonly size: number,
  ) {}

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.opened === undefined) throw new Error(`${this.name} is not open`);
    return this.opened.read(offset, length);
  }
}

/**
 * Opens an unpacked torch zip. A folder has no checksums; `sha256` is computed over the lines that `sha256sum` prints for its
 * files: data.pkl first, then the storages in the order in which the pickle names them.
 * @throws CheckpointError as `openCheckpoint`; 'storage-size' if a storage's file is missing or has another size
 */
export async function openUnpackedCheckpoint(
  directory: SourceDirectory,
  options: PassOptions = {},
): Promise<Checkpoint> {
  const source = await directory.open(PICKLE);
  if (source === undefined)
    throw new CheckpointError('not-a-checkpoint', `${directory.name} has no ${PICKLE}`);
  if (source.size > MAX_PICKLE_BYTES) {
    throw new CheckpointError(
      'limit',
      `${PICKLE} has ${source.size} bytes; at most ${MAX_PICKLE_BYTES} are read`,
    );
  }
  const byteOrder = await readText(directory, 'byteorder');
  checkByteOrder(byteOrder);
  const files = new Map<string, { readonly file: StorageFile; readonly storage: TensorStorage }>();
  const find = ({ key, dtype, elements, location }: StorageId, at: number): TensorStorage => {
    if (!STORAGE_KEY.test(key)) {
      throw new CheckpointError('storage-size', `the storage ${quote(key)} is not a file of the folder`, at);
    }
    const known = files.get(key)?.storage;
    if (known?.dtype === dtype && known.elements === elements) return known;
    if (known !== undefined) {
      throw new CheckpointError(
        'storage-size',
        `the storage ${quote(key)} is described twice, differently`,
        at,
      );
    }
    const file = new StorageFile(`data/${key}`, elements * ITEM_BYTES[dtype]);
    const storage = new TensorStorage(file, key, dtype, elements, 0, location);
    files.set(key, { file, storage });
    return storage;
  };
  const pickle = await readBytes(source, 0, source.size, PICKLE);
  const { value: root, inert } = readDataPickle(pickle, 0, find);
  const storages = await directory.folder?.('data');
  let size = source.size;
  for (const [key, { file }] of files) {
    file.opened = await storages?.open(key);
    if (file.opened?.size !== file.size) {
      const held = file.opened === undefined ? 'is missing' : `has ${file.opened.size}`;
      const message = `the pickle names ${file.size} bytes of the storage ${quote(key)}, its file ${held}`;
      throw new CheckpointError('storage-size', message);
    }
    size += file.size;
  }
  const sources: ByteSource[] = [{ ...source, name: PICKLE, read: source.read.bind(source) }];
  for (const { file } of files.values()) sources.push(file);
  const metadata = archiveMetadata(directory.name, await readText(directory, 'version'), byteOrder);
  return {
    name: directory.name,
    format: 'folder',
    size,
    sha256: await digest(sources, size, options),
    root,
    inertGlobals: describeInert(inert),
    ignored: [],
    metadata,
  };
}

async function readText(directory: SourceDirectory, name: string): Promise<string | undefined> {
  const source = await directory.open(name);
  if (source === undefined || source.size > MAX_TEXT_ENTRY_BYTES) return undefined;
  return new TextDecoder('latin1').decode(await readBytes(source, 0, source.size, name)).trim();
}

async function digest(sources: readonly ByteSource[], total: number, options: PassOptions): Promise<string> {
  const lines: string[] = [];
  let before = 0;
  for (const source of sources) {
    const { signal, onProgress } = options;
    const pass = { signal, onProgress: (done: number) => onProgress?.(before + done, total) };
    lines.push(`${await new FilePass(source, pass).finish()}  ${source.name}\n`);
    before += source.size;
  }
  return new FilePass(bytesSource(new TextEncoder().encode(lines.join('')))).finish();
}
