// Persistent ids: how a torch pickle refers to storages outside it.

import { type DType, STORAGE_DTYPES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { InertGlobal, PickleTuple, type PickleValue } from './pickle_values.js';

/** The content of a torch persistent id: ('storage', class, key, location, number of values[, view]). */
export interface StorageId {
  readonly key: string;
  readonly dtype: DType;
  readonly location: string;
  readonly elements: number;
  readonly view: PickleValue | undefined;
}

/** The dtype of a storage class such as `torch.FloatStorage`; undefined for any other value. */
export function storageDtype(value: PickleValue | undefined): DType | undefined {
  if (!(value instanceof InertGlobal)) return undefined;
  const { module, name } = value;
  if (!['torch', 'torch.storage', 'torch.cuda'].includes(module)) return undefined;
  return STORAGE_DTYPES.get(name);
}

/** @throws CheckpointError 'tensor-format' if the id is not that of a storage */
export function readStorageId(id: PickleValue, offset: number): StorageId {
  const expected = "torch's ('storage', class, key, location, size)";
  const items = id instanceof PickleTuple ? id.items : [];
  const [kind, storageClass, key, location, elements, view] = items;
  const dtype = storageDtype(storageClass);
  if (kind === 'storage' && dtype === undefined && storageClass instanceof InertGlobal) {
    throw new CheckpointError('dtype', `the storage class ${quote(storageClass.path)} is not known`, offset);
  }
  const plain =
    kind === 'storage' &&
    (items.length === 5 || items.length === 6) &&
    (typeof key === 'string' || typeof key === 'number') &&
    (typeof location === 'string' || location === null);
  if (!plain || dtype === undefined) {
    throw new CheckpointError('tensor-format', `a persistent id of the pickle is not ${expected}`, offset);
  }
  if (typeof elements !== 'number' || !Number.isSafeInteger(elements) || elements < 0) {
    throw new CheckpointError('tensor-format', `the storage ${quote(String(key))} has no valid size`, offset);
  }
  return { key: String(key), dtype, location: location ?? 'cpu', elements, view };
}

const TEXT_ID =
  /^\('storage', (?:<class '([\w.]{1,100})'>|([\w.]{1,100})), '([\w.-]{1,100})', (?:'([\w:.-]{0,100})'|None), ([0-9]{1,16})(?:, None)?\)$/;

/**
 * Parses the persistent id as protocol 0 writes it: Python's `str` of the tuple.
 * @throws CheckpointError 'tensor-format'
 */
export function parseStorageId(text: string, offset: number): PickleTuple {
  const match = TEXT_ID.exec(text);
  if (match === null) {
    throw new CheckpointError('tensor-format', "a persistent id of the pickle is not torch's", offset);
  }
  const [, shown, plain, key, location, elements] = match;
  const path = shown ?? plain;
  const dot = path.lastIndexOf('.');
  const storageClass = new InertGlobal(path.slice(0, Math.max(dot, 0)), path.slice(dot + 1), offset);
  return new PickleTuple(['storage', storageClass, key, location ?? null, Number(elements)]);
}
