// Files of torch.save before its zip format (torch < 1.6, or _use_new_zipfile_serialization=False): five consecutive pickles
// (magic number, protocol, machine, object, storage keys), then each storage as an int64 count of values and the values. There
// are no checksums: a flipped bit in the values cannot be detected. Source of the layout: torch/serialization.py, _legacy_save.

import type { ByteSource } from '../byte_source.js';
import type { OpenedContainer } from './container.js';
import { ITEM_BYTES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { FilePass, type PassOptions, readBytes } from './file_pass.js';
import { LEGACY_HEAD_BYTES, MAX_PICKLE_BYTES } from './limits.js';
import { type PickleOptions, readPickle, type Unpickled } from './pickle.js';
import { PickleTuple, type PickleValue } from './pickle_values.js';
import type { StorageId } from './storage_id.js';
import { TensorStorage } from './tensor.js';

const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;
/** Bytes of the count before each storage's values. */
const COUNT_BYTES = 8;

function fail(message: string, offset: number): never {
  throw new CheckpointError('legacy-format', message, offset);
}

/** One storage per root key; a view (written only by torch 0.3 and older) is a window into its root. */
class Storages {
  readonly byKey = new Map<string, TensorStorage>();
  private readonly views = new Map<
    string,
    { readonly view: TensorStorage; root: TensorStorage; first: number }
  >();

  constructor(private readonly source: ByteSource) {}

  find({ key, dtype, elements, location, view }: StorageId, at: number): TensorStorage {
    let root = this.byKey.get(key);
    if (root === undefined) {
      root = new TensorStorage(this.source, key, dtype, elements, -1, location);
      this.byKey.set(key, root);
    } else if (root.dtype !== dtype || root.elements !== elements) {
      fail(`the storage ${quote(key)} is described twice, differently`, at);
    }
    return view === undefined || view === null ? root : this.findView(root, view, at);
  }

  private findView(root: TensorStorage, view: PickleValue, at: number): TensorStorage {
    const [name, first, length] = view instanceof PickleTuple ? view.items : [];
    const whole = (value: PickleValue | undefined): value is number =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    const named = typeof name === 'string' || typeof name === 'number';
    if (!named || !whole(first) || !whole(length) || first + length > root.elements) {
      return fail(`the storage ${quote(root.key)} has a view that is not (key, offset, size) within it`, at);
    }
    const known = this.views.get(String(name));
    if (known?.root === root && known.first === first && known.view.elements === length) return known.view;
    if (known !== undefined)
      fail(`the storage view ${quote(String(name))} is described twice, differently`, at);
    const made = new TensorStorage(this.source, String(name), root.dtype, length, -1, root.location);
    this.views.set(made.key, { view: made, root, first });
    return made;
  }

  /** Places the views, once the roots are placed. */
  placeViews(): void {
    for (const { view, root, first } of this.views.values()) {
      view.fileOffset = root.fileOffset + first * ITEM_BYTES[root.dtype];
    }
  }
}

interface Head {
  readonly object: Unpickled;
  readonly keys: readonly string[];
  readonly storages: Storages;
  /** Offset of the first storage. */
  readonly end: number;
}

/** Parses the five pickles at the start of `bytes`. */
function parseHead(source: ByteSource, bytes: Uint8Array): Head {
  const storages = new Storages(source);
  let at = 0;
  const next = (storage?: PickleOptions['storage']): Unpickled => {
    const result = readPickle(bytes, { fileOffset: 0, start: at, storage, sources: true });
    at = result.end;
    return result;
  };
  if (next().value !== MAGIC_NUMBER) fail('the file does not begin with the magic number of torch.save', 0);
  const protocolAt = at;
  if (next().value !== PROTOCOL_VERSION) fail(`the protocol version is not ${PROTOCOL_VERSION}`, protocolAt);
  const machineAt = at;
  const machine = next().value;
  if (!(machine instanceof Map)) fail('the description of the saving machine is not a dict', machineAt);
  if (machine.get('little_endian') !== true) {
    const message =
      'the checkpoint was not saved on a little-endian machine; only little-endian files are read';
    throw new CheckpointError('byte-order', message, machineAt);
  }
  const object = next((id, offset) => storages.find(id, offset));
  const keysAt = at;
  const keys = next().value;
  const valid =
    Array.isArray(keys) && keys.every((key) => typeof key === 'string' || typeof key === 'number');
  if (!valid) fail('the list of storage keys is not a list of texts', keysAt);
  const names = keys.map(String);
  const used = storages.byKey;
  if (
    new Set(names).size !== names.length ||
    names.length !== used.size ||
    !names.every((k) => used.has(k))
  ) {
    fail(`the file lists ${names.length} storages, the object uses ${used.size} others or more`, keysAt);
  }
  return { object, keys: names, storages, end: at };
}

/** Reads enough of the file to hold the five pickles, whose length is not recorded. */
async function readHead(source: ByteSource): Promise<Head> {
  for (let length = LEGACY_HEAD_BYTES; ; length *= 2) {
    const whole = Math.min(length, MAX_PICKLE_BYTES, source.size);
    try {
      return parseHead(source, await readBytes(source, 0, whole, "the file's pickles"));
    } catch (error) {
      const cut = error instanceof CheckpointError && error.code === 'truncated';
      if (!cut || whole === source.size) throw error;
      if (whole === MAX_PICKLE_BYTES) {
        const message = `the pickles at the file's start have over ${MAX_PICKLE_BYTES} bytes`;
        throw new CheckpointError('limit', message, whole);
      }
    }
  }
}

/**
 * Opens a legacy torch file and checks that its storages extend exactly to its end.
 * @throws CheckpointError 'legacy-format', 'byte-order', 'storage-size', 'truncated', and as `readPickle`
 */
export async function openLegacyCheckpoint(
  source: ByteSource,
  options: PassOptions = {},
): Promise<OpenedContainer> {
  const { object, keys, storages, end } = await readHead(source);
  const pass = new FilePass(source, options);
  await pass.drain(end, "the file's pickles");
  for (const key of keys) {
    const storage = storages.byKey.get(key);
    if (storage === undefined) continue;
    const at = pass.position;
    const count = new DataView((await pass.take(COUNT_BYTES, `the storage ${quote(key)}`)).buffer);
    const elements = count.getBigInt64(0, true);
    if (elements !== BigInt(storage.elements)) {
      const message = `the storage ${quote(key)} has ${elements} values where the pickle says ${storage.elements}`;
      throw new CheckpointError('storage-size', message, at);
    }
    storage.fileOffset = pass.position;
    await pass.drain(storage.byteLength, `the storage ${quote(key)}`);
  }
  storages.placeViews();
  if (pass.position !== source.size) {
    fail(`${source.size - pass.position} bytes follow the last storage`, pass.position);
  }
  const metadata = new Map([['protocol_version', String(PROTOCOL_VERSION)]]);
  return { sha256: await pass.finish(), value: object.value, inert: object.inert, metadata, ignored: [] };
}
