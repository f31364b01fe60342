// A pickle machine that cannot run code. It implements the opcodes of protocols 0 to 5, produces plain data, and keeps every
// unknown name and call as a description. Source of the opcodes' semantics: Lib/pickletools.py and Lib/pickle.py of CPython.

import { CheckpointError } from './errors.js';
import { MAX_OPCODES } from './limits.js';
import { checkNesting } from './nesting.js';
import { PickleCalls } from './pickle_calls.js';
import { addToSet, append, frozenSet, setEntries } from './pickle_containers.js';
import { PickleCursor } from './pickle_cursor.js';
import { describeRefusedOpcode, OP } from './pickle_opcodes.js';
import { PickleStack } from './pickle_stack.js';
import { parseFloat0, parseInt0, parseLong, parseString, parseUnicode } from './pickle_text.js';
import { InertGlobal, InertObject, type PickleMap, PickleTuple, type PickleValue } from './pickle_values.js';
import { parseStorageId, readStorageId, type StorageId } from './storage_id.js';
import type { TensorStorage } from './tensor.js';

/** The newest protocol of Python's pickle. */
const MAX_PROTOCOL = 5;
/** The first protocol in which a name may be a path through attributes. */
const WALKS_PROTOCOL = 4;

/** Where a pickle is, and how its persistent ids are resolved. */
export interface PickleOptions {
  /** Offset in the file of the first byte of `bytes`, for messages. */
  readonly fileOffset: number;
  /** Index in `bytes` to start at; 0 by default. */
  readonly start?: number;
  /** The storage that a persistent id refers to; without this function persistent ids are refused. */
  readonly storage?: (id: StorageId, offset: number) => TensorStorage;
  /** Whether persistent ids may name classes with their source code, as in legacy files of whole modules. */
  readonly sources?: boolean;
}

/** The content of a pickle. */
export interface Unpickled {
  readonly value: PickleValue;
  /** Index in `bytes` after the STOP opcode. */
  readonly end: number;
  /** Unknown Python names, with the number of objects made of each, or 1 for one that is only named. */
  readonly inert: ReadonlyMap<string, number>;
}

class Machine {
  private readonly stack: PickleStack = new PickleStack();
  private readonly calls: PickleCalls = new PickleCalls(this.stack);
  private readonly cursor: PickleCursor;
  private protocol = 0;

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
    return { value, end: cursor.position, inert: this.calls.namesAndObjects() };
  }

  /** The value that an opcode pushes; undefined for opcodes with another effect. */
  private produce(opcode: number): PickleValue | undefined {
    const { cursor, stack, calls } = this;
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
        return calls.made(parseString(cursor.latin1Line(), stack.at));
      case OP.BINSTRING:
        return calls.made(cursor.oldString(cursor.uint32()));
      case OP.SHORT_BINSTRING:
        return calls.made(cursor.oldString(cursor.uint8()));
      case OP.BINBYTES:
        return calls.made(cursor.take(cursor.uint32()));
      case OP.SHORT_BINBYTES:
        return calls.made(cursor.take(cursor.uint8()));
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return calls.made(cursor.take(cursor.uint64()));
      case OP.EMPTY_TUPLE:
        return calls.made(new PickleTuple([]));
      case OP.TUPLE1:
        return calls.made(new PickleTuple(stack.popMany(1)));
      case OP.TUPLE2:
        return calls.made(new PickleTuple(stack.popMany(2)));
      case OP.TUPLE3:
        return calls.made(new PickleTuple(stack.popMany(3)));
      case OP.TUPLE:
        return calls.made(new PickleTuple(stack.popToMark()));
      case OP.EMPTY_LIST:
        return calls.made([]);
      case OP.LIST:
        return calls.made(stack.popToMark());
      case OP.EMPTY_DICT:
        return calls.made(new Map());
      case OP.DICT: {
        const map: PickleMap = calls.made(new Map());
        setEntries(map, this.withArrays(stack.popToMark()), stack.at);
        return map;
      }
      case OP.EMPTY_SET:
        return calls.made(new Set());
      case OP.FROZENSET:
        return calls.made(frozenSet(stack.popToMark(), stack.at));
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
        return calls.call(...this.popCall());
      case OP.INST:
        return calls.call(this.global(cursor.line(), cursor.line()), stack.popToMark());
      case OP.OBJ: {
        const [kind, ...args] = stack.popToMark();
        return calls.call(kind, args);
      }
      case OP.NEWOBJ:
        return calls.newObject(...this.popCall());
      case OP.NEWOBJ_EX: {
        const keywords = stack.pop();
        const [kind, args] = this.popCall();
        return calls.newObject(kind, [...args, keywords]);
      }
      case OP.PERSID:
        return this.storage(parseStorageId(cursor.latin1Line(), stack.at));
      case OP.BINPERSID:
        return this.storage(stack.pop());
      default:
        return undefined;
    }
  }

  /** Executes an opcode that modifies existing values. */
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
        this.fill(append, stack.popMany(1));
        break;
      case OP.APPENDS:
        this.fill(append, stack.popToMark());
        break;
      case OP.SETITEM:
        this.fill(setEntries, this.withArrays(stack.popMany(2)));
        break;
      case OP.SETITEMS:
        this.fill(setEntries, this.withArrays(stack.popToMark()));
        break;
      case OP.ADDITEMS:
        this.fill(addToSet, stack.popToMark());
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

  /** Adds values to the container on top of the stack. */
  private fill(add: typeof append, values: readonly PickleValue[]): void {
    add(this.stack.top(), values, this.stack.at);
  }

  /** Alternating keys and values, with NumPy arrays among the values replaced by tensors. */
  private withArrays(entries: readonly PickleValue[]): PickleValue[] {
    return entries.map((item, i) => (i % 2 === 0 ? item : this.calls.withArrays(item)));
  }

  /** A name; from protocol 4 on it may be a path through attributes. */
  private global(module: string, name: string): InertGlobal {
    return this.calls.global(module, name, this.protocol >= WALKS_PROTOCOL);
  }

  private stackGlobal(): InertGlobal {
    const [module, name] = this.stack.popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string') {
      this.stack.fail('the pickle takes a name that is not text');
    }
    return this.global(module, name);
  }

  private popCall(): [PickleValue, readonly PickleValue[]] {
    const [callee, args] = this.stack.popMany(2);
    if (!(args instanceof PickleTuple))
      this.stack.fail('the pickle makes a call without a tuple of arguments');
    return [callee, args.items];
  }

  /** BUILD: sets attributes. Inert objects keep them; those of an OrderedDict (`_metadata` of a state dict) are not used. */
  private build(): void {
    const state = this.stack.pop();
    const target = this.stack.top();
    if (target instanceof InertObject) target.state = state;
    else if (!(target instanceof Map))
      this.stack.fail('the pickle sets attributes of something that has none');
  }

  /** Resolves a persistent id, which torch uses to refer to a storage. */
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
    return this.calls.made(storage(known, this.stack.at));
  }
}

/**
 * Reads one pickle. Nothing in it is executed.
 * @throws CheckpointError 'truncated', 'pickle-format', 'pickle-opcode', 'forbidden-global', 'refused-call', 'limit',
 * 'tensor-format', 'tensor-bounds', 'dtype', and whatever `options.storage` throws
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): Unpickled {
  return new Machine(bytes, options).run();
}
