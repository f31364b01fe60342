// The calls that a torch pickle may make, each as a few lines of ours: containers, and tensors rebuilt from storages.

import { type DType, STORAGE_DTYPES, TORCH_DTYPES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { MAX_CONTAINER_ITEMS, MAX_RANK } from './limits.js';
import { builtinType, isHarmlessCall, refuseCall } from './pickle_globals.js';
import {
  InertGlobal,
  InertObject,
  isHashable,
  type PickleMap,
  PickleTuple,
  type PickleValue,
} from './pickle_values.js';
import { StoredTensor, TensorStorage } from './tensor.js';

function malformed(path: string, wanted: string, offset: number): never {
  throw new CheckpointError('tensor-format', `the arguments of ${path} are not ${wanted}`, offset);
}

/** Adds an entry to a dict. @throws CheckpointError 'pickle-format' for an unhashable key, 'limit' */
export function setEntry(map: PickleMap, key: PickleValue, value: PickleValue, offset: number): void {
  if (!isHashable(key)) {
    throw new CheckpointError(
      'pickle-format',
      'a dict of the pickle has a key that Python cannot hash',
      offset,
    );
  }
  if (map.size >= MAX_CONTAINER_ITEMS) {
    throw new CheckpointError(
      'limit',
      `a dict of the pickle has over ${MAX_CONTAINER_ITEMS} entries`,
      offset,
    );
  }
  map.set(key, value);
}

function sequence(path: string, value: PickleValue | undefined, offset: number): readonly PickleValue[] {
  if (value === undefined) return [];
  if (value instanceof PickleTuple) return value.items;
  if (Array.isArray(value)) return value;
  if (value instanceof Set) return [...value];
  return malformed(path, 'one list, tuple or set', offset);
}

function buildMap(path: string, value: PickleValue | undefined, offset: number): PickleMap {
  if (value instanceof Map) return new Map(value);
  const map: PickleMap = new Map();
  for (const pair of sequence(path, value, offset)) {
    const items = sequence(path, pair, offset);
    if (items.length !== 2) malformed(path, 'pairs of key and value', offset);
    setEntry(map, items[0], items[1], offset);
  }
  return map;
}

function buildSet(path: string, value: PickleValue | undefined, offset: number): Set<PickleValue> {
  const items = sequence(path, value, offset);
  if (!items.every(isHashable)) malformed(path, 'hashable values', offset);
  return new Set(items);
}

/** Containers of builtins as JavaScript has them; the other types (int, complex, slice...) stay inert objects. */
function callBuiltin(type: string, path: string, args: readonly PickleValue[], offset: number): PickleValue {
  if (['list', 'tuple', 'dict', 'set', 'frozenset'].includes(type) && args.length > 1) {
    malformed(path, 'at most one value', offset);
  }
  switch (type) {
    case 'list':
      return [...sequence(path, args[0], offset)];
    case 'tuple':
      return new PickleTuple([...sequence(path, args[0], offset)]);
    case 'dict':
      return buildMap(path, args[0], offset);
    case 'set':
    case 'frozenset':
      return buildSet(path, args[0], offset);
    default:
      return new InertObject(path, args);
  }
}

function sizes(path: string, value: PickleValue | undefined, offset: number): number[] {
  const items =
    value instanceof PickleTuple ? value.items : malformed(path, 'tuples of sizes and strides', offset);
  if (items.length > MAX_RANK) malformed(path, `at most ${MAX_RANK} sizes`, offset);
  return items.map((item) => (typeof item === 'number' ? item : malformed(path, 'plain numbers', offset)));
}

/** torch._utils._rebuild_tensor(storage, offset, size, stride), _v2 (+ flags) and _v3 (+ flags, dtype). */
function rebuildTensor(
  path: string,
  args: readonly PickleValue[],
  dtype: DType | undefined,
  at: number,
): StoredTensor {
  const [storage, offset, shape, strides] = args;
  if (!(storage instanceof TensorStorage)) return malformed(path, 'a storage and its view', at);
  if (typeof offset !== 'number') return malformed(path, 'a storage and a plain offset', at);
  const record = { storage, offset, shape: sizes(path, shape, at), strides: sizes(path, strides, at) };
  return new StoredTensor({ ...record, dtype: dtype ?? storage.dtype }, at);
}

function torchDtype(path: string, value: PickleValue | undefined, offset: number): DType {
  const dtype =
    value instanceof InertGlobal && value.module === 'torch' ? TORCH_DTYPES.get(value.name) : undefined;
  return dtype ?? malformed(path, 'a tensor of a known dtype', offset);
}

/** The dtype of a storage class such as `torch.FloatStorage`; undefined for any other value. */
export function storageDtype(value: PickleValue | undefined): DType | undefined {
  if (!(value instanceof InertGlobal)) return undefined;
  const { module, name } = value;
  if (!['torch', 'torch.storage', 'torch.cuda'].includes(module)) return undefined;
  return STORAGE_DTYPES.get(name);
}

/**
 * The result of a call that a pickle asks for (REDUCE).
 * @throws CheckpointError 'refused-call' for a function that is neither allowed nor harmless, 'tensor-format' and
 *   'tensor-bounds' for tensors that contradict their storage
 */
export function callGlobal(callee: InertGlobal, args: readonly PickleValue[], offset: number): PickleValue {
  const { path, module, name } = callee;
  const builtin = builtinType(module, name);
  if (builtin !== undefined) return callBuiltin(builtin, path, args, offset);
  switch (path) {
    case 'collections.OrderedDict':
      if (args.length > 1) malformed(path, 'at most one value', offset);
      return buildMap(path, args[0], offset);
    case 'torch.Size':
      return new PickleTuple(sizes(path, args[0] ?? new PickleTuple([]), offset));
    case 'torch._utils._rebuild_tensor':
    case 'torch._utils._rebuild_tensor_v2':
      return rebuildTensor(path, args, undefined, offset);
    case 'torch._utils._rebuild_tensor_v3':
      return rebuildTensor(path, args, torchDtype(path, args[6], offset), offset);
    case 'torch._utils._rebuild_parameter':
    case 'torch._utils._rebuild_parameter_with_state': {
      const [data] = args;
      if (!(data instanceof StoredTensor)) return malformed(path, 'a tensor', offset);
      const parameter = new StoredTensor(data, offset);
      parameter.isParameter = true;
      return parameter;
    }
    case 'torch._tensor._rebuild_from_type_v2': {
      // A tensor with attributes of its own: (rebuild function, class, arguments, attributes).
      const [rebuild, , inner] = args;
      const known =
        rebuild instanceof InertGlobal && /^torch\._utils\._rebuild_(tensor|parameter)/.test(rebuild.path);
      if (!known || !(inner instanceof PickleTuple)) return malformed(path, 'a tensor to rebuild', offset);
      return callGlobal(rebuild, inner.items, offset);
    }
    default:
      return isHarmlessCall(path) ? new InertObject(path, args) : refuseCall(path, offset);
  }
}

/** torch's functions that rebuild tensors: they are no classes, so no object can be made of them. */
export function isRebuildFunction({ path }: InertGlobal): boolean {
  return /^torch\._(utils|tensor)\._rebuild_/.test(path);
}

/** What a persistent id of torch says: ('storage', class, key, location, number of values[, view]). */
export interface StorageId {
  readonly key: string;
  readonly dtype: DType;
  readonly location: string;
  readonly elements: number;
  readonly view: PickleValue | undefined;
}

/** @throws CheckpointError 'tensor-format' if the id is anything else than a storage's */
export function readStorageId(id: PickleValue, offset: number): StorageId {
  const wanted = "torch's ('storage', class, key, location, size)";
  const items = id instanceof PickleTuple ? id.items : [];
  const [kind, storageClass, key, location, elements, view] = items;
  if (kind === 'module') {
    throw new CheckpointError(
      'refused-call',
      'the file holds a whole model object with its source code; save a state dict (model.state_dict()) instead',
      offset,
    );
  }
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
    throw new CheckpointError('tensor-format', `a persistent id of the pickle is not ${wanted}`, offset);
  }
  if (typeof elements !== 'number' || !Number.isSafeInteger(elements) || elements < 0) {
    throw new CheckpointError('tensor-format', `the storage ${quote(String(key))} has no valid size`, offset);
  }
  return { key: String(key), dtype, location: location ?? 'cpu', elements, view };
}
