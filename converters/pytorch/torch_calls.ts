// The calls in a pickle whose result is known: containers, and tensors rebuilt from storages. All other calls stay descriptions.

import { addItems, appendValues, frozenSet, setEntry, valuesOf } from './pickle_containers.js';
import { builtinType } from './pickle_globals.js';
import { InertGlobal, InertObject, type PickleMap, PickleTuple, type PickleValue } from './pickle_values.js';
import { findRebuild, malformed, sizes } from './tensor_rebuilds.js';

/** The argument that a container is made from; undefined for an iterable that only Python could iterate over. */
function contentOf(path: string, args: readonly PickleValue[], offset: number) {
  if (args.length > 1) malformed(path, 'at most one value', offset);
  const [value = new PickleTuple([])] = args;
  if (value instanceof Map) return { map: value, values: [...value.keys()] };
  const values = valuesOf(value);
  if (values !== undefined) return { values };
  const iterable = value instanceof InertObject || value instanceof Uint8Array || typeof value === 'string';
  return iterable ? undefined : malformed(path, 'one list, tuple or set', offset);
}

function buildMap(path: string, pairs: readonly PickleValue[], offset: number): PickleMap {
  const map: PickleMap = new Map();
  for (const pair of pairs) {
    const items = valuesOf(pair);
    if (items?.length !== 2) return malformed(path, 'pairs of key and value', offset);
    setEntry(map, items[0], items[1], offset);
  }
  return map;
}

type Content = NonNullable<ReturnType<typeof contentOf>>;

/** Containers with a JavaScript equivalent; other types (int, complex, slice...) stay inert objects. */
const CONTAINERS: Readonly<Record<string, (content: Content, path: string, offset: number) => PickleValue>> =
  {
    list: ({ values }) => [...values],
    tuple: ({ values }) => new PickleTuple([...values]),
    dict: ({ map, values }, path, at) => (map ? new Map(map) : buildMap(path, values, at)),
    set: ({ values }, _, at) => addItems(new Set(), values, at),
    frozenset: ({ values }, _, at) => frozenSet(values, at),
  };

/** Functions of copyreg that create an object of the class in their first argument; used by protocols 0 and 1. */
const RECONSTRUCTORS: ReadonlySet<string> = new Set([
  'copyreg._reconstructor',
  'copy_reg._reconstructor',
  'copyreg.__newobj__',
  'copy_reg.__newobj__',
  'copyreg.__newobj_ex__',
]);

/** The container type of `callee`, if it is a class of such containers. */
function containerType(callee: InertGlobal): string | undefined {
  const type = callee.path === 'collections.OrderedDict' ? 'dict' : builtinType(callee);
  return type !== undefined && Object.hasOwn(CONTAINERS, type) ? type : undefined;
}

/**
 * An object of a class: a container, or inert.
 * @throws CheckpointError 'tensor-format' if a container cannot be made from the arguments
 */
export function makeObject(kind: InertGlobal, args: readonly PickleValue[], offset: number): PickleValue {
  const type = containerType(kind);
  const content = type === undefined ? undefined : contentOf(kind.path, args, offset);
  if (type === undefined || content === undefined) return new InertObject(kind.path, args);
  return CONTAINERS[type](content, kind.path, offset);
}

/**
 * The result of a call in a pickle (REDUCE). Unknown functions give an inert object with their name and arguments.
 * @throws CheckpointError 'tensor-format' and 'tensor-bounds' for tensors that contradict their storage
 */
export function callGlobal(callee: InertGlobal, args: readonly PickleValue[], offset: number): PickleValue {
  const { path } = callee;
  const rebuild = findRebuild(callee);
  if (rebuild !== undefined) return rebuild(args, path, offset);
  if (path === 'torch.Size') return new PickleTuple(sizes(path, args[0] ?? new PickleTuple([]), offset));
  const [kind, ...rest] = args;
  if (!RECONSTRUCTORS.has(path) || !(kind instanceof InertGlobal)) return makeObject(callee, args, offset);
  const object = new InertObject(kind.path, rest);
  // For a class derived from dict or list, the third argument is the object's content.
  const [, content] = rest;
  if (content instanceof Map) for (const [key, value] of content) setEntry(object.items, key, value, offset);
  else if (Array.isArray(content)) appendValues(object.list, content, offset);
  return object;
}
