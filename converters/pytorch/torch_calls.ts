// The calls that a torch pickle may make, each as a few lines of ours: containers, and tensors rebuilt from storages.
// All other calls stay descriptions of themselves.

import { CheckpointError } from './errors.js';
import { MAX_CONTAINER_ITEMS } from './limits.js';
import { builtinType } from './pickle_globals.js';
import {
  FrozenSet,
  InertGlobal,
  InertObject,
  isHashable,
  type PickleMap,
  PickleTuple,
  type PickleValue,
} from './pickle_values.js';
import { findRebuild, malformed, sizes } from './tensor_rebuilds.js';

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

function hashables(path: string, value: PickleValue | undefined, offset: number): readonly PickleValue[] {
  const items = sequence(path, value, offset);
  return items.every(isHashable) ? items : malformed(path, 'hashable values', offset);
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
      return new Set(hashables(path, args[0], offset));
    case 'frozenset':
      return new FrozenSet(hashables(path, args[0], offset));
    default:
      return new InertObject(path, args);
  }
}

/** Functions of copyreg that make an object of the class that is their first argument: protocols 0 and 1 call them. */
const RECONSTRUCTORS: ReadonlySet<string> = new Set([
  'copyreg._reconstructor',
  'copy_reg._reconstructor',
  'copyreg.__newobj__',
  'copy_reg.__newobj__',
  'copyreg.__newobj_ex__',
]);

/**
 * The result of a call that a pickle asks for (REDUCE). Functions that are not known here give an inert object that
 * carries their name and arguments.
 * @throws CheckpointError 'tensor-format' and 'tensor-bounds' for tensors that contradict their storage
 */
export function callGlobal(callee: InertGlobal, args: readonly PickleValue[], offset: number): PickleValue {
  const { path } = callee;
  const builtin = builtinType(callee);
  if (builtin !== undefined) return callBuiltin(builtin, path, args, offset);
  const rebuild = findRebuild(callee);
  if (rebuild !== undefined) return rebuild(args, path, offset);
  if (path === 'collections.OrderedDict') {
    if (args.length > 1) malformed(path, 'at most one value', offset);
    return buildMap(path, args[0], offset);
  }
  if (path === 'torch.Size') return new PickleTuple(sizes(path, args[0] ?? new PickleTuple([]), offset));
  const [kind, ...rest] = args;
  if (!RECONSTRUCTORS.has(path) || !(kind instanceof InertGlobal)) return new InertObject(path, args);
  const object = new InertObject(kind.path, rest);
  // Of a class derived from dict or list, the third argument is what the object holds.
  const [, content] = rest;
  if (content instanceof Map) for (const [key, value] of content) setEntry(object.items, key, value, offset);
  else if (Array.isArray(content)) for (const value of content) object.list.push(value);
  return object;
}
