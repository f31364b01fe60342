// A pickle machine that cannot run anything. It knows the opcodes that torch.save writes (protocols 2 and 3), makes
// plain data of them, and refuses the rest. Source of their meaning: Lib/pickletools.py and Lib/pickle.py of CPython.

import { CheckpointError, quote } from './errors.js';
import { MAX_CONTAINER_ITEMS, MAX_COPIED_ITEMS, MAX_GLOBALS, MAX_OBJECTS, MAX_OPCODES } from './limits.js';
import { checkNesting } from './nesting.js';
import { PickleCursor } from './pickle_cursor.js';
import { builtinType, checkGlobal } from './pickle_globals.js';
import { describeRefusedOpcode, OP } from './pickle_opcodes.js';
import { PickleStack } from './pickle_stack.js';
import { InertGlobal, InertObject, type PickleMap, PickleTuple, type PickleValue } from './pickle_values.js';
import type { TensorStorage } from './tensor.js';
import { callGlobal, isRebuildFunction, readStorageId, type StorageId, setEntry } from './torch_calls.js';

/** Where a pickle lies, and what its persistent ids stand for. */
export interface PickleOptions {
  /** Offset in the file of the first byte of `bytes`, for messages. */
  readonly fileOffset: number;
  /** Where in `bytes` to begin; 0 by default. */
  readonly start?: number;
  /** The storage that a persistent id names; without it persistent ids are refused. */
  readonly storage?: (id: StorageId, offset: number) => TensorStorage;
}

/** What a pickle held. */
export interface Unpickled {
  readonly value: PickleValue;
  /** Index in `bytes` after the STOP opcode. */
  readonly end: number;
  /** How many inert objects there are of each class. */
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
  private objects = 0;
  private copied = 0;

  constructor(
    bytes: Uint8Array,
    private readonly options: PickleOptions,
  ) {
    this.cursor = new PickleCursor(bytes, options.start ?? 0, options.fileOffset);
  }

  run(): Unpickled {
    const { cursor, stack } = this;
    stack.at = cursor.offset;
    if (cursor.uint8() !== OP.PROTO)
      stack.fail('the pickle does not begin with its protocol, as torch writes it');
    const protocol = cursor.uint8();
    if (protocol !== 2 && protocol !== 3) {
      throw new CheckpointError(
        'pickle-opcode',
        `the checkpoint was saved with pickle protocol ${protocol}; save it again with the default protocol 2`,
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
    return { value, end: cursor.position, inert: this.inert };
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
      case OP.BINUNICODE:
        return cursor.text(cursor.uint32());
      case OP.BINSTRING:
        return this.made(cursor.oldString(cursor.uint32()));
      case OP.SHORT_BINSTRING:
        return this.made(cursor.oldString(cursor.uint8()));
      case OP.BINBYTES:
        return this.made(cursor.take(cursor.uint32()));
      case OP.SHORT_BINBYTES:
        return this.made(cursor.take(cursor.uint8()));
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
      case OP.DUP:
        return stack.top();
      case OP.BINGET:
        return stack.recall(cursor.uint8());
      case OP.LONG_BINGET:
        return stack.recall(cursor.uint32());
      case OP.GLOBAL:
        return this.global();
      case OP.REDUCE:
        return this.call();
      case OP.NEWOBJ:
        return this.newObject();
      case OP.BINPERSID:
        return this.storage();
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
      case OP.BUILD:
        this.build();
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
    for (let i = 0; i < values.length; i += 2) setEntry(map, values[i], values[i + 1], this.stack.at);
    return map;
  }

  private global(): InertGlobal {
    const module = this.cursor.line();
    const name = this.cursor.line();
    checkGlobal(module, name, this.stack.at);
    const path = `${module}\n${name}`;
    let value = this.globals.get(path);
    if (value === undefined) {
      if (this.globals.size >= MAX_GLOBALS) this.stack.limit('different globals', MAX_GLOBALS);
      value = new InertGlobal(module, name);
      this.globals.set(path, value);
    }
    return value;
  }

  private popCall(): [InertGlobal, readonly PickleValue[]] {
    const [callee, args] = this.stack.popMany(2);
    if (!(args instanceof PickleTuple))
      this.stack.fail('the pickle makes a call without a tuple of arguments');
    if (!(callee instanceof InertGlobal)) this.stack.fail('the pickle calls something that is no global');
    // A container made of another one copies it: without a bound one long list could be copied a million times.
    this.copied += itemsIn(args.items[0]);
    if (this.copied > MAX_COPIED_ITEMS)
      this.stack.limit('values copied from container to container', MAX_COPIED_ITEMS);
    return [callee, args.items];
  }

  private counted(value: PickleValue): PickleValue {
    if (value instanceof InertObject) this.inert.set(value.class, (this.inert.get(value.class) ?? 0) + 1);
    return this.made(value);
  }

  /** REDUCE: a call, of which only the allowed ones have a result. */
  private call(): PickleValue {
    const [callee, args] = this.popCall();
    return this.counted(callGlobal(callee, args, this.stack.at));
  }

  /** NEWOBJ: an object made without a call of its class's `__init__`; of unknown classes it stays inert. */
  private newObject(): PickleValue {
    const [callee, args] = this.popCall();
    const { path, module, name } = callee;
    if (isRebuildFunction(callee))
      this.stack.fail(`the pickle makes an object of ${quote(path)}, which is no class`);
    const known = path === 'collections.OrderedDict' || builtinType(module, name) !== undefined;
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

  /** BINPERSID: to torch, a reference to a storage. */
  private storage(): TensorStorage {
    const { storage } = this.options;
    const id = readStorageId(this.stack.pop(), this.stack.at);
    if (storage === undefined) this.stack.fail('the pickle refers to a storage where none can be');
    return this.made(storage(id, this.stack.at));
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
