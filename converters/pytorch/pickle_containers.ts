// Fills the containers of a pickle, within limits and with keys and members that Python can hash.

import { CheckpointError } from './errors.js';
import { MAX_CONTAINER_ITEMS } from './limits.js';
import {
  FrozenSet,
  InertObject,
  isHashable,
  type PickleMap,
  PickleTuple,
  type PickleValue,
} from './pickle_values.js';

function limit(what: string, offset: number): never {
  throw new CheckpointError('limit', `the pickle has over ${MAX_CONTAINER_ITEMS} ${what}`, offset);
}

function fail(message: string, offset: number): never {
  throw new CheckpointError('pickle-format', message, offset);
}

/** Appends to a list, or to an object of a class derived from list. @throws CheckpointError 'pickle-format', 'limit' */
export function append(target: PickleValue, values: readonly PickleValue[], offset: number): void {
  const list = target instanceof InertObject ? target.list : target;
  if (!Array.isArray(list)) fail('the pickle appends to something that is not a list', offset);
  appendValues(list, values, offset);
}

/** @throws CheckpointError 'limit' */
export function appendValues(list: PickleValue[], values: readonly PickleValue[], offset: number): void {
  if (list.length + values.length > MAX_CONTAINER_ITEMS) limit('values in a list', offset);
  for (const value of values) list.push(value);
}

/** Adds alternating keys and values to a dict or an object of a class derived from dict. @throws as setEntry */
export function setEntries(target: PickleValue, items: readonly PickleValue[], offset: number): void {
  const map = target instanceof InertObject ? target.items : target;
  if (!(map instanceof Map)) fail('the pickle sets entries of something that is not a dict', offset);
  if (items.length % 2 !== 0) fail('a dict of the pickle has a key without a value', offset);
  for (let i = 0; i < items.length; i += 2) setEntry(map, items[i], items[i + 1], offset);
}

/** @throws CheckpointError 'pickle-format' for an unhashable key, 'limit' */
export function setEntry(map: PickleMap, key: PickleValue, value: PickleValue, offset: number): void {
  if (!isHashable(key)) fail('a dict of the pickle has a key that Python cannot hash', offset);
  if (map.size >= MAX_CONTAINER_ITEMS) limit('entries in a dict', offset);
  map.set(key, value);
}

/** Adds to a set, or to an object of a class derived from set. @throws as addItems */
export function addToSet(target: PickleValue, values: readonly PickleValue[], offset: number): void {
  if (target instanceof InertObject) appendValues(target.list, values, offset);
  else if (target instanceof Set && !(target instanceof FrozenSet)) addItems(target, values, offset);
  else fail('the pickle adds to something that is not a set', offset);
}

/** @throws as addItems */
export function frozenSet(values: readonly PickleValue[], offset: number): FrozenSet {
  return addItems(new FrozenSet(), values, offset);
}

/** @throws CheckpointError 'pickle-format' for an unhashable value, 'limit' */
export function addItems<T extends Set<PickleValue>>(
  set: T,
  values: readonly PickleValue[],
  offset: number,
): T {
  if (set.size + values.length > MAX_CONTAINER_ITEMS) limit('values in a set', offset);
  if (!values.every(isHashable)) fail('a set of the pickle has a value that Python cannot hash', offset);
  for (const value of values) set.add(value);
  return set;
}

/** The values of a list, tuple or set; undefined for everything else. */
export function valuesOf(value: PickleValue): readonly PickleValue[] | undefined {
  if (value instanceof PickleTuple) return value.items;
  if (value instanceof Set) return [...value];
  return Array.isArray(value) ? value : undefined;
}

/** The number of values in a container; 0 for everything else. */
export function sizeOf(value: PickleValue): number {
  if (value instanceof PickleTuple) return value.items.length;
  if (Array.isArray(value)) return value.length;
  return value instanceof Map || value instanceof Set ? value.size : 0;
}
