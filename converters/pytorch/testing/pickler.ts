// Pickles nested values of any kind as torch.save does, and collects their storages.

import type { DType } from '../dtype.js';
import { ITEM_BYTES, STORAGE_DTYPES } from '../dtype.js';
import { rowMajorStrides } from '../tensor.js';
import { Assembler } from './assembler.js';

/**
 * A buffer to be saved; several tensors share it if they are given the same object. `bytes` may be a function that yields the
 * data in pieces, so that files larger than memory can be made; it must yield `elements` values in total.
 */
export interface MadeStorage {
  readonly dtype: DType;
  readonly elements: number;
  readonly bytes: Uint8Array | (() => Iterable<Uint8Array>);
  /** torch's device tag; 'cpu' by default. */
  readonly location?: string;
}

/** A tensor to be saved. Strides are row-major and the offset is 0 by default; neither is checked. */
export class MadeTensor {
  readonly strides: readonly number[];

  constructor(
    readonly storage: MadeStorage,
    readonly shape: readonly number[],
    strides?: readonly number[],
    readonly offset = 0,
    /** The last argument of torch's rebuild function: `{'neg': True}`. */
    readonly metadata?: Picklable,
  ) {
    this.strides = strides ?? rowMajorStrides(shape);
  }
}

/** A Python tuple. */
export class MadeTuple {
  readonly items: readonly Picklable[];

  constructor(...items: readonly Picklable[]) {
    this.items = items;
  }
}

/** A `collections.OrderedDict`; `model.state_dict()` returns one, which has the attribute `_metadata`. */
export class MadeOrderedDict {
  constructor(
    readonly entries: ReadonlyMap<Picklable, Picklable>,
    readonly attributes?: ReadonlyMap<Picklable, Picklable>,
  ) {}
}

/** The name of a class or function. */
export class MadeGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}
}

/** An object of a class: created by NEWOBJ (or by a call), then given its entries and attributes. */
export class MadeObject {
  constructor(
    readonly global: MadeGlobal,
    readonly parts: {
      readonly args?: readonly Picklable[];
      readonly call?: boolean;
      readonly entries?: ReadonlyMap<Picklable, Picklable>;
      readonly state?: Picklable;
    } = {},
  ) {}
}

/** Values that can be pickled: arrays are lists, Maps are dicts, whole numbers are ints, others floats. */
export type Picklable =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Picklable[]
  | ReadonlyMap<Picklable, Picklable>
  | MadeTuple
  | MadeOrderedDict
  | MadeGlobal
  | MadeObject
  | MadeTensor;

/** A tensor with its own storage, filled with `values` of the type's typed array (16-bit floats: their bits). */
export function madeTensor(dtype: DType, shape: readonly number[], values: ArrayBufferView): MadeTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new MadeTensor({ dtype, elements: bytes.byteLength / ITEM_BYTES[dtype], bytes }, shape);
}

/** How storages are named: torch's zips count them, its legacy files use addresses. */
export class Pickler {
  readonly storages = new Map<MadeStorage, string>();
  private readonly globals = new Map<string, number>();
  private readonly assembler: Assembler;

  constructor(
    private readonly options: { readonly legacy?: boolean; readonly protocol?: number } = {},
    private readonly keyOf: (index: number) => string = String,
  ) {
    this.assembler = new Assembler(options.protocol ?? 2);
  }

  /** The pickle of `root`; `storages` then maps keys to all its storages. */
  pickle(root: Picklable): Uint8Array {
    this.value(root);
    return this.assembler.stop();
  }

  private global(module: string, name: string): void {
    const { assembler } = this;
    const path = `${module}.${name}`;
    const memo = this.globals.get(path);
    if (memo !== undefined) {
      assembler.op('LONG_BINGET').uint32(memo);
      return;
    }
    assembler.global(module, name).op('LONG_BINPUT').uint32(this.globals.size);
    this.globals.set(path, this.globals.size);
  }

  private tuple(items: readonly Picklable[]): void {
    this.assembler.op('MARK');
    for (const item of items) this.value(item);
    this.assembler.op('TUPLE');
  }

  private entries(entries: ReadonlyMap<Picklable, Picklable>): void {
    this.assembler.op('MARK');
    for (const [key, value] of entries) {
      this.value(key);
      this.value(value);
    }
    this.assembler.op('SETITEMS');
  }

  private tensor({ storage, shape, strides, offset, metadata }: MadeTensor): void {
    const { assembler } = this;
    const key = this.storages.get(storage) ?? this.keyOf(this.storages.size);
    this.storages.set(storage, key);
    const storageClass =
      [...STORAGE_DTYPES].find(([, dtype]) => dtype === storage.dtype)?.[0] ?? 'UntypedStorage';
    this.global('torch._utils', '_rebuild_tensor_v2');
    assembler.op('MARK', 'MARK').unicode('storage');
    this.global('torch', storageClass);
    assembler
      .unicode(key)
      .unicode(storage.location ?? 'cpu')
      .int(storage.elements);
    if (this.options.legacy) assembler.op('NONE');
    assembler.op('TUPLE', 'BINPERSID').int(offset);
    this.tuple(shape);
    this.tuple(strides);
    assembler.op('NEWFALSE');
    this.orderedDict(new Map());
    if (metadata !== undefined) this.value(metadata);
    assembler.op('TUPLE', 'REDUCE');
  }

  private orderedDict(entries: ReadonlyMap<Picklable, Picklable>): void {
    this.global('collections', 'OrderedDict');
    this.assembler.op('EMPTY_TUPLE', 'REDUCE');
    if (entries.size > 0) this.entries(entries);
  }

  private object({ global, parts }: MadeObject): void {
    this.global(global.module, global.name);
    this.tuple(parts.args ?? []);
    this.assembler.op(parts.call ? 'REDUCE' : 'NEWOBJ');
    if (parts.entries !== undefined) this.entries(parts.entries);
    if (parts.state !== undefined) {
      this.value(parts.state);
      this.assembler.op('BUILD');
    }
  }

  private value(value: Picklable): void {
    const { assembler } = this;
    if (value === null) assembler.op('NONE');
    else if (typeof value === 'boolean') assembler.op(value ? 'NEWTRUE' : 'NEWFALSE');
    else if (typeof value === 'bigint') assembler.int(value);
    else if (typeof value === 'number')
      Number.isSafeInteger(value) ? assembler.int(value) : assembler.float(value);
    else if (typeof value === 'string') assembler.unicode(value);
    else if (value instanceof MadeTensor) this.tensor(value);
    else if (value instanceof MadeTuple) this.tuple(value.items);
    else if (value instanceof MadeGlobal) this.global(value.module, value.name);
    else if (value instanceof MadeObject) this.object(value);
    else if (value instanceof MadeOrderedDict) {
      this.orderedDict(value.entries);
      if (value.attributes !== undefined) {
        this.value(value.attributes);
        assembler.op('BUILD');
      }
    } else if (value instanceof Map) {
      assembler.op('EMPTY_DICT');
      this.entries(value);
    } else {
      assembler.op('EMPTY_LIST', 'MARK');
      for (const item of value as readonly Picklable[]) this.value(item);
      assembler.op('APPENDS');
    }
  }
}
