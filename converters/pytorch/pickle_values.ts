// The values of a pickle. Python types map to equivalent JavaScript types; whatever would need external code stays a description.

import type { StoredTensor, TensorStorage } from './tensor.js';

/**
 * A value in a checkpoint: None is null; int is number if it fits in 53 bits, else bigint; list is an array; dict and OrderedDict
 * are Maps (so a key `__proto__` is an ordinary key); set and frozenset are Sets. Inert objects may refer back to their
 * containers; all other nesting is bounded and free of cycles.
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
 * A Python dict, in order. Keys are strings, numbers, bigints, booleans, null, tuples and frozensets, and, by identity, inert
 * globals and objects, tensors and storages.
 */
export type PickleMap = Map<PickleValue, PickleValue>;

/** A Python tuple. */
export class PickleTuple {
  /** Whether Python accepts it as a dict key. */
  readonly hashable: boolean;

  constructor(readonly items: readonly PickleValue[]) {
    this.hashable = items.every(isHashable);
  }
}

/** A Python frozenset: a set that can be a dict key. */
export class FrozenSet extends Set<PickleValue> {}

/** A name that the pickle refers to (`torch.float32`, a class): only the name, which is not looked up. */
export class InertGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
    /** Offset in the file of its first occurrence. */
    readonly at: number,
  ) {}

  /** `module.name` */
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of an unknown class: its pickled description, as data. Its class was never called. */
export class InertObject {
  private entries: PickleMap | undefined;
  private values: PickleValue[] | undefined;
  /** Attributes, as returned by the object's `__getstate__` or `__dict__`. */
  state: PickleValue | undefined;

  /** `module.name` of the class, such as `yacs.config.CfgNode`. */
  readonly class: string;

  constructor(
    classPath: string,
    /** Arguments for its constructor. */
    readonly args: readonly PickleValue[],
  ) {
    this.class = classPath;
  }

  // Created on demand: a hostile file may have half a million objects.

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

  /** Its contents: `items` and `list` if there are any, `args`, `state`. */
  get parts(): PickleValue[] {
    // Objects can share one `args` array, so a traversal that visits each array once stays fast.
    const parts: PickleValue[] = [this.args as PickleValue[]];
    if (this.entries !== undefined) parts.push(this.entries);
    if (this.values !== undefined) parts.push(this.values);
    if (this.state !== undefined) parts.push(this.state);
    return parts;
  }
}

/** Whether Python accepts the value as a dict key: all except lists, dicts, sets, and tuples that contain these. */
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
