// What a pickle becomes here. Python's types map to JavaScript's where those are as good; whatever would need code from
// the outside stays a description of itself.

import type { StoredTensor, TensorStorage } from './tensor.js';

/**
 * A value of a checkpoint: None is null; int is number when it fits 53 bits, else bigint; list is an array; dict and
 * OrderedDict are Maps (so a key `__proto__` is a key like any other); set and frozenset are Sets.
 * Inert objects may refer back to what holds them; all other nesting is free of cycles and bounded.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleMap
  | Set<PickleValue>
  | PickleTuple
  | InertGlobal
  | InertObject
  | StoredTensor
  | TensorStorage;

/**
 * A Python dict, in its order. Keys are strings, numbers, bigints, booleans, null, tuples and frozensets, and by their
 * identity inert globals and objects, tensors and storages.
 */
export type PickleMap = Map<PickleValue, PickleValue>;

/** A Python tuple. */
export class PickleTuple {
  /** Whether Python would take it as a dict key. */
  readonly hashable: boolean;

  constructor(readonly items: readonly PickleValue[]) {
    this.hashable = items.every(isHashable);
  }
}

/** A Python frozenset: a set that may be a key. */
export class FrozenSet extends Set<PickleValue> {}

/** A name that the pickle refers to (`torch.float32`, a class): only the name, nothing is looked up. */
export class InertGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
    /** Offset in the file at which it was first named. */
    readonly at: number,
  ) {}

  /** `module.name` */
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class that is not known here: what the pickle says of it, as data. Its class was never called. */
export class InertObject {
  private entries: PickleMap | undefined;
  private values: PickleValue[] | undefined;
  /** Attributes, as the object's own `__getstate__` or `__dict__` gave them. */
  state: PickleValue | undefined;

  /** `module.name` of the class, such as `yacs.config.CfgNode`. */
  readonly class: string;

  constructor(
    classPath: string,
    /** Arguments that its constructor would have got. */
    readonly args: readonly PickleValue[],
  ) {
    this.class = classPath;
  }

  // Made on demand: a hostile file may have half a million objects.

  /** Entries, for classes derived from dict. */
  get items(): PickleMap {
    this.entries ??= new Map();
    return this.entries;
  }

  /** Values, for classes derived from list. */
  get list(): PickleValue[] {
    this.values ??= [];
    return this.values;
  }

  /** What it holds and was made of: `items` and `list` if there are any, `args`, `state`. */
  get parts(): PickleValue[] {
    // `args` is one array however many objects share it, so whoever visits each array once stays quick.
    const parts: PickleValue[] = [this.args as PickleValue[]];
    if (this.entries !== undefined) parts.push(this.entries);
    if (this.values !== undefined) parts.push(this.values);
    if (this.state !== undefined) parts.push(this.state);
    return parts;
  }
}

/** Whether Python would take the value as a dict key: all but lists, dicts, sets, and tuples of these. */
export function isHashable(value: PickleValue): boolean {
  if (value instanceof PickleTuple) return value.hashable;
  if (Array.isArray(value) || value instanceof Map) return false;
  return !(value instanceof Set) || value instanceof FrozenSet;
}

/** The entries of a dict, or of an inert object of a class derived from dict; undefined for anything else. */
export function entriesOf(value: PickleValue | undefined): ReadonlyMap<PickleValue, PickleValue> | undefined {
  if (value instanceof Map) return value;
  if (value instanceof InertObject && value.items.size > 0) return value.items;
  return undefined;
}
