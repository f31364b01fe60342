// A pickle machine that cannot run anything. It knows the opcodes of protocols 0 to 5, makes plain data of them, and
// keeps every name and call that it does not know as a description. Source of the opcodes' meaning: Lib/pickletools.py
// and Lib/pickle.py of CPython.

import { CheckpointError, quote } from './errors.js';
import {
  MAX_CONTAINER_ITEMS,
  MAX_COPIED_ITEMS,
  MAX_GLOBAL_NAME,
  MAX_GLOBALS,
  MAX_OBJECTS,
  MAX_OPCODES,
  MAX_PICKLE_BYTES,
} from './limits.js';
import { checkNesting } from './nesting.js';
import { arrayTensor } from './numpy_array.js';
import { PickleCursor } from './pickle_cursor.js';
import { builtinType, checkCall, checkGlobal, isGetattr, refuseGetattr } from './pickle_globals.js';
import { describeRefusedOpcode, OP } from './pickle_opcodes.js';
import { PickleStack } from './pickle_stack.js';
import { parseFloat0, parseInt0, parseLong, parseString, parseUnicode } from './pickle_text.js';
import {
  FrozenSet,
  InertGlobal,
  InertObject,
  isHashable,
  type PickleMap,
  PickleTuple,
  type PickleValue,
} from './pickle_values.js';
import { parseStorageId, readStorageId, type StorageId, storageDtype } from './storage_id.js';
import type { StoredTensor, TensorStorage } from './tensor.js';
import { findRebuild } from './tensor_rebuilds.js';
import { callGlobal, setEntry } from './torch_calls.js';

/** The newest protocol of Python's pickle. */
const MAX_PROTOCOL = 5;
/** The first protocol in which a name may be a walk through attributes. */
const WALKS_PROTOCOL = 4;

/** What arrays of NumPy are made of: no left-outs where the arrays are read. */
const ARRAY_PARTS: ReadonlySet<string> = new Set(['numpy.ndarray', 'numpy.dtype']);

/** Where a pickle lies, and what its persistent ids stand for. */
export interface PickleOptions {
  /** Offset in the file of the first byte of `bytes`, for messages. */
  readonly fileOffset: number;
  /** Where in `bytes` to begin; 0 by default. */
  readonly start?: number;
  /** The storage that a persistent id names; without it persistent ids are refused. */
  readonly storage?: (id: StorageId, offset: number) => TensorStorage;
  /** Whether persistent ids may name classes with their source code, as legacy files of whole modules do. */
  readonly sources?: boolean;
}

/** What a pickle held. */
export interface Unpickled {
  readonly value: PickleValue;
  /** Index in `bytes` after the STOP opcode. */
  readonly end: number;
  /** The unknown Python names: how many objects were made of each, or 1 for one that is only named. */
  readonly inert: ReadonlyMap<string, number>;
}

function itemsIn(value: PickleValue | undefined): number {
  if (value instanceof PickleTuple) return value.items.length;
  if (Array.isArray(value)) return value.length;
  return value instanceof Map || value instanceof Set ? value.size : 0;
}

class Machine {
  private readonly stack: PickleStack = new PickleStack();
  private readonly globals = new Map<string, InertGlobal>();
  private readonly inert = new Map<string, number>();
  private readonly cursor: PickleCursor;
  /** Names that are called, or of which objects are made. */
  private readonly called = new Set<InertGlobal>();
  /** Arrays of NumPy's that have become tensors. */
  private readonly arrays = new Map<InertObject, StoredTensor>();
  private protocol = 0;
  private objects = 0;
  private copied = 0;
  private copiedBytes = 0;

  constructor(
    bytes: Uint8Array,
    private readonly options: PickleOptions,
  ) {
    this.cursor = new PickleCursor(bytes, options.start ?? 0, options.fileOffset);
  }

  run(): Unpickled {
    const { cursor, stack } = this;
    stack.at = cursor.offset;
    // Protocols 0 and 1 have no header.
    if (cursor.next === OP.PROTO) {
      cursor.uint8();
      this.protocol = cursor.uint8();
    }
    if (this.protocol > MAX_PROTOCOL) {
      throw new CheckpointError(
        'pickle-opcode',
        `the checkpoint was saved with pickle protocol ${this.protocol}; save it again with the default protocol 2`,
        stack.at,
      );
    }
    for (let count = 0; ; count++) {
      stack.at = cursor.offset;
      if (count >= MAX_OPCODES) stack.limit('opcodes', MAX_OPCODES);
      const opcode = cursor.uint8();
      if (opcode === OP.STOP) break;
      const value = this.produce(opcode);
      if (value === undefined) this.act(opcode);
      else stack.push(value);
    }
    const value = stack.pop();
    if (!stack.isEmpty) stack.fail('the pickle ends with values left on its stack');
    checkNesting(value, stack.at);
    return { value, end: cursor.position, inert: this.namesAndObjects() };
  }

  /** The value that an opcode puts on the stack; undefined for the opcodes that do something else. */
  private produce(opcode: number): PickleValue | undefined {
    const { cursor, stack } = this;
    switch (opcode) {
      case OP.NONE:
        return null;
      case OP.NEWTRUE:
        return true;
      case OP.NEWFALSE:
        return false;
      case OP.BININT:
        return cursor.int32();
      case OP.BININT1:
        return cursor.uint8();
      case OP.BININT2:
        return cursor.uint16();
      case OP.LONG1:
        return cursor.integer(cursor.uint8());
      case OP.LONG4:
        return cursor.integer(cursor.uint32());
      case OP.BINFLOAT:
        return cursor.float64();
      case OP.INT:
        return parseInt0(cursor.latin1Line(), stack.at);
      case OP.LONG:
        return parseLong(cursor.latin1Line(), stack.at);
      case OP.FLOAT:
        return parseFloat0(cursor.latin1Line(), stack.at);
      case OP.UNICODE:
        return parseUnicode(cursor.latin1Line(), stack.at);
      case OP.BINUNICODE:
        return cursor.text(cursor.uint32());
      case OP.SHORT_BINUNICODE:
        return cursor.text(cursor.uint8());
      case OP.BINUNICODE8:
        return cursor.text(cursor.uint64());
      case OP.STRING:
        return this.made(parseString(cursor.latin1Line(), stack.at));
      case OP.BINSTRING:
        return this.made(cursor.oldString(cursor.uint32()));
      case OP.SHORT_BINSTRING:
        return this.made(cursor.oldString(cursor.uint8()));
      case OP.BINBYTES:
        return this.made(cursor.take(cursor.uint32()));
      case OP.SHORT_BINBYTES:
        return this.made(cursor.take(cursor.uint8()));
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return this.made(cursor.take(cursor.uint64()));
      case OP.EMPTY_TUPLE:
        return this.made(new PickleTuple([]));
      case OP.TUPLE1:
        return this.made(new PickleTuple(stack.popMany(1)));
      case OP.TUPLE2:
        return this.made(new PickleTuple(stack.popMany(2)));
      case OP.TUPLE3:
        return this.made(new PickleTuple(stack.popMany(3)));
      case OP.TUPLE:
        return this.made(new PickleTuple(stack.popToMark()));
      case OP.EMPTY_LIST:
        return this.made([]);
      case OP.LIST:
        return this.made(stack.popToMark());
      case OP.EMPTY_DICT:
        return this.made(new Map());
      case OP.DICT:
        return this.setEntries(this.made(new Map()), stack.popToMark());
      case OP.EMPTY_SET:
        return this.made(new Set());
      case OP.FROZENSET:
        return this.made(this.addItems(new FrozenSet(), stack.popToMark()));
      case OP.DUP:
        return stack.top();
      case OP.BINGET:
        return stack.recall(cursor.uint8());
      case OP.LONG_BINGET:
        return stack.recall(cursor.uint32());
      case OP.GET:
        return stack.recall(cursor.decimalIndex());
      case OP.GLOBAL:
        return this.global(cursor.line(), cursor.line());
      case OP.STACK_GLOBAL:
        return this.stackGlobal();
      case OP.REDUCE:
        return this.call(...this.popCall());
      case OP.INST:
        return this.call(this.global(cursor.line(), cursor.line()), stack.popToMark());
      case OP.OBJ: {
        const [kind, ...args] = stack.popToMark();
        return this.call(kind, args);
      }
      case OP.NEWOBJ:
        return this.newObject(...this.popCall());
      case OP.NEWOBJ_EX: {
        const keywords = stack.pop();
        const [kind, args] = this.popCall();
        return this.newObject(kind, [...args, keywords]);
      }
      case OP.PERSID:
        return this.storage(parseStorageId(cursor.latin1Line(), stack.at));
      case OP.BINPERSID:
        return this.storage(stack.pop());
      default:
        return undefined;
    }
  }

  /** The opcodes that change what is there. */
  private act(opcode: number): void {
    const { cursor, stack } = this;
    switch (opcode) {
      case OP.MARK:
        stack.mark();
        break;
      case OP.POP:
        stack.discard();
        break;
      case OP.POP_MARK:
        stack.popToMark();
        break;
      case OP.BINPUT:
        stack.memorise(cursor.uint8());
        break;
      case OP.LONG_BINPUT:
        stack.memorise(cursor.uint32());
        break;
      case OP.PUT:
        stack.memorise(cursor.decimalIndex());
        break;
      case OP.MEMOIZE:
        stack.memoriseNext();
        break;
      case OP.APPEND:
        this.append(stack.popMany(1));
        break;
      case OP.APPENDS:
        this.append(stack.popToMark());
        break;
      case OP.SETITEM:
        this.setItems(stack.popMany(2));
        break;
      case OP.SETITEMS:
        this.setItems(stack.popToMark());
        break;
      case OP.ADDITEMS:
        this.addToSet(stack.popToMark());
        break;
      case OP.BUILD:
        this.build();
        break;
      case OP.FRAME:
        cursor.expect(cursor.uint64());
        break;
      case OP.PROTO:
        stack.fail('the pickle changes its protocol midway');
        break;
      default:
        throw new CheckpointError('pickle-opcode', describeRefusedOpcode(opcode), stack.at);
    }
  }

  private made<T extends PickleValue>(value: T): T {
    if (++this.objects > MAX_OBJECTS) this.stack.limit('objects', MAX_OBJECTS);
    return value;
  }

  private append(values: readonly PickleValue[]): void {
    const target = this.stack.top();
    const list = target instanceof InertObject ? target.list : target;
    if (!Array.isArray(list)) this.stack.fail('the pickle appends to something that is no list');
    if (list.length + values.length > MAX_CONTAINER_ITEMS)
      this.stack.limit('values in a list', MAX_CONTAINER_ITEMS);
    for (const value of values) list.push(value);
  }

  private setItems(values: readonly PickleValue[]): void {
    const target = this.stack.top();
    const map = target instanceof InertObject ? target.items : target;
    if (!(map instanceof Map)) this.stack.fail('the pickle sets entries of something that is no dict');
    this.setEntries(map, values);
  }

  private setEntries(map: PickleMap, values: readonly PickleValue[]): PickleMap {
    if (values.length % 2 !== 0) this.stack.fail('a dict of the pickle has a key without a value');
    for (let i = 0; i < values.length; i += 2) {
      setEntry(map, values[i], this.withArrays(values[i + 1]), this.stack.at);
    }
    return map;
  }

  /** Arrays of NumPy's are tensors where those are looked for: in dicts and as what tensors are rebuilt from. */
  private withArrays(value: PickleValue): PickleValue {
    if (!(value instanceof InertObject)) return value;
    const known = this.arrays.get(value);
    if (known !== undefined) return known;
    const tensor = arrayTensor(value);
    if (tensor === undefined) return value;
    this.arrays.set(value, tensor);
    this.count(value.class, -1);
    return this.made(tensor);
  }

  private addToSet(values: readonly PickleValue[]): void {
    const target = this.stack.top();
    if (target instanceof InertObject) this.append(values);
    else if (target instanceof Set && !(target instanceof FrozenSet)) this.addItems(target, values);
    else this.stack.fail('the pickle adds to something that is no set');
  }

  private addItems(set: Set<PickleValue>, values: readonly PickleValue[]): Set<PickleValue> {
    if (set.size + values.length > MAX_CONTAINER_ITEMS)
      this.stack.limit('values in a set', MAX_CONTAINER_ITEMS);
    if (!values.every(isHashable)) this.stack.fail('a set of the pickle has a value that Python cannot hash');
    for (const value of values) set.add(value);
    return set;
  }

  /** A name; `walks` as checkGlobal has it. */
  private global(module: string, name: string, walks = this.protocol >= WALKS_PROTOCOL): InertGlobal {
    const path = `${module}\n${name}`;
    let value = this.globals.get(path);
    if (value === undefined) {
      checkGlobal(module, name, this.stack.at, walks);
      if (this.globals.size >= MAX_GLOBALS) this.stack.limit('different globals', MAX_GLOBALS);
      value = new InertGlobal(module, name, this.stack.at);
      this.globals.set(path, value);
    }
    return value;
  }

  private stackGlobal(): InertGlobal {
    const [module, name] = this.stack.popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string') {
      this.stack.fail('the pickle takes a name that is no text');
    }
    if (Math.max(module.length, name.length) > MAX_GLOBAL_NAME)
      this.stack.limit('characters in a name', MAX_GLOBAL_NAME);
    return this.global(module, name);
  }

  private popCall(): [PickleValue, readonly PickleValue[]] {
    const [callee, args] = this.stack.popMany(2);
    if (!(args instanceof PickleTuple))
      this.stack.fail('the pickle makes a call without a tuple of arguments');
    return [callee, args.items];
  }

  /** What is called: a name, or an object that a call has given (`functools.partial(f)`). */
  private callee(value: PickleValue | undefined, args: readonly PickleValue[]): InertGlobal | InertObject {
    if (!(value instanceof InertGlobal) && !(value instanceof InertObject)) {
      return this.stack.fail('the pickle calls something that is no global');
    }
    // A container made of another one copies it: without a bound one long list could be copied a million times.
    for (const arg of args) this.copied += itemsIn(arg);
    if (this.copied > MAX_COPIED_ITEMS)
      this.stack.limit('values copied from container to container', MAX_COPIED_ITEMS);
    return value;
  }

  private count(name: string, change: number): void {
    this.inert.set(name, (this.inert.get(name) ?? 0) + change);
  }

  private counted(value: PickleValue): PickleValue {
    if (value instanceof InertObject) this.count(value.class, 1);
    return this.made(value);
  }

  /** A call (REDUCE, INST, OBJ): what it gives is known of torch's own functions and of containers alone. */
  private call(value: PickleValue | undefined, args: readonly PickleValue[]): PickleValue {
    const callee = this.callee(value, args);
    if (callee instanceof InertObject) return this.counted(new InertObject(callee.class, [callee, ...args]));
    if (isGetattr(callee)) return this.attribute(callee, args);
    checkCall(callee);
    this.called.add(callee);
    const [text, encoding] = args;
    if (callee.path === '_codecs.encode' && typeof text === 'string' && encoding === 'latin1') {
      return this.made(this.latin1Bytes(text));
    }
    const known = findRebuild(callee) === undefined ? args : args.map((arg) => this.withArrays(arg));
    return this.counted(callGlobal(callee, known, this.stack.at));
  }

  /** getattr(object, name): of a name another name, of everything else a description. */
  private attribute(getattr: InertGlobal, args: readonly PickleValue[]): PickleValue {
    const [object, name] = args;
    if (args.length < 2 || typeof name !== 'string' || name.length > MAX_GLOBAL_NAME) refuseGetattr(getattr);
    this.called.add(getattr);
    if (!(object instanceof InertGlobal)) {
      checkGlobal('object', name, this.stack.at, false);
      return this.counted(new InertObject(getattr.path, args));
    }
    this.called.add(object);
    const walk = `${object.name}.${name}`;
    if (walk.length > MAX_GLOBAL_NAME) this.stack.limit('characters in a name', MAX_GLOBAL_NAME);
    return this.made(this.global(object.module, walk, true));
  }

  /** Bytes as Python 3 writes them for protocol 2: text of one character a byte. */
  private latin1Bytes(text: string): Uint8Array {
    this.copiedBytes += text.length;
    if (this.copiedBytes > MAX_PICKLE_BYTES) this.stack.limit('bytes in encoded texts', MAX_PICKLE_BYTES);
    const bytes = Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
    if (/[^\0-\xff]/.test(text)) this.stack.fail('the pickle encodes a text that is not Latin-1');
    return bytes;
  }

  /** NEWOBJ, NEWOBJ_EX: an object made without a call of its class's `__init__`; of unknown classes it stays inert. */
  private newObject(value: PickleValue, args: readonly PickleValue[]): PickleValue {
    const callee = this.callee(value, args);
    if (callee instanceof InertObject) return this.counted(new InertObject(callee.class, [callee, ...args]));
    const { path } = callee;
    if (findRebuild(callee) !== undefined)
      this.stack.fail(`the pickle makes an object of ${quote(path)}, which is no class`);
    this.called.add(callee);
    const known = path === 'collections.OrderedDict' || builtinType(callee) !== undefined;
    return this.counted(known ? callGlobal(callee, args, this.stack.at) : new InertObject(path, args));
  }

  /** BUILD: attributes. Inert objects keep them; an OrderedDict's (a state dict's `_metadata`) mean nothing here. */
  private build(): void {
    const state = this.stack.pop();
    const target = this.stack.top();
    if (target instanceof InertObject) target.state = state;
    else if (!(target instanceof Map))
      this.stack.fail('the pickle sets attributes of something that has none');
  }

  /** A persistent id: to torch, a reference to a storage. */
  private storage(id: PickleValue): TensorStorage | InertGlobal {
    const { storage, sources = false } = this.options;
    const [kind, source] = id instanceof PickleTuple ? id.items : [];
    if (kind === 'module') {
      if (sources && source instanceof InertGlobal) return source;
      throw new CheckpointError(
        'refused-call',
        'the file holds a whole model object with its source code; save a state dict (model.state_dict()) instead',
        this.stack.at,
      );
    }
    const known = readStorageId(id, this.stack.at);
    if (storage === undefined) this.stack.fail('the pickle refers to a storage where none can be');
    return this.made(storage(known, this.stack.at));
  }

  /** Inert objects by their class, and names that are values of their own: of functions, classes, members. */
  private namesAndObjects(): Map<string, number> {
    const found = new Map([...this.inert].filter(([, count]) => count > 0));
    const inArrays = (path: string): boolean => this.arrays.size > 0 && ARRAY_PARTS.has(path);
    for (const path of found.keys()) if (inArrays(path)) found.delete(path);
    for (const value of this.globals.values()) {
      const torchs = value.module === 'torch' || storageDtype(value) !== undefined;
      const plain = findRebuild(value) !== undefined || builtinType(value) !== undefined;
      if (!this.called.has(value) && !torchs && !plain && !found.has(value.path) && !inArrays(value.path))
        found.set(value.path, 1);
    }
    return found;
  }
}

/**
 * Reads one pickle. Nothing that it asks for is executed.
 * @throws CheckpointError 'truncated', 'pickle-format', 'pickle-opcode', 'forbidden-global', 'refused-call', 'limit',
 *   'tensor-format', 'tensor-bounds', 'dtype', and whatever `options.storage` throws
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): Unpickled {
  return new Machine(bytes, options).run();
}
