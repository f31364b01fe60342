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
  readonly stack: PickleStack = new PickleStack();
  readonly calls: PickleCalls = new PickleCalls(this.stack);
  readonly cursor: PickleCursor;
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
      if (Object.hasOwn(PRODUCERS, opcode)) stack.push(PRODUCERS[opcode](this));
      else if (Object.hasOwn(ACTIONS, opcode)) ACTIONS[opcode](this);
      else throw new CheckpointError('pickle-opcode', describeRefusedOpcode(opcode), stack.at);
    }
    const value = stack.pop();
    if (!stack.isEmpty) stack.fail('the pickle ends with values left on its stack');
    checkNesting(value, stack.at);
    return { value, end: cursor.position, inert: this.calls.namesAndObjects() };
  }

  /** Adds values to the container on top of the stack. */
  fill(add: typeof append, values: readonly PickleValue[]): void {
    add(this.stack.top(), values, this.stack.at);
  }

  /** Alternating keys and values, with NumPy arrays among the values replaced by tensors. */
  withArrays(entries: readonly PickleValue[]): PickleValue[] {
    return entries.map((item, i) => (i % 2 === 0 ? item : this.calls.withArrays(item)));
  }

  dict(): PickleMap {
    const map: PickleMap = this.calls.made(new Map());
    setEntries(map, this.withArrays(this.stack.popToMark()), this.stack.at);
    return map;
  }

  /** A name; from protocol 4 on it may be a path through attributes. */
  private global(module: string, name: string): InertGlobal {
    return this.calls.global(module, name, this.protocol >= WALKS_PROTOCOL);
  }

  lineGlobal(): InertGlobal {
    return this.global(this.cursor.line(), this.cursor.line());
  }

  stackGlobal(): InertGlobal {
    const [module, name] = this.stack.popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string') {
      this.stack.fail('the pickle takes a name that is not text');
    }
    return this.global(module, name);
  }

  popCall(): [PickleValue, readonly PickleValue[]] {
    const [callee, args] = this.stack.popMany(2);
    if (!(args instanceof PickleTuple))
      this.stack.fail('the pickle makes a call without a tuple of arguments');
    return [callee, args.items];
  }

  /** BUILD: sets attributes. Inert objects keep them; those of an OrderedDict (`_metadata` of a state dict) are not used. */
  build(): void {
    const state = this.stack.pop();
    const target = this.stack.top();
    if (target instanceof InertObject) target.state = state;
    else if (!(target instanceof Map))
      this.stack.fail('the pickle sets attributes of something that has none');
  }

  /** Resolves a persistent id, which torch uses to refer to a storage. */
  storage(id: PickleValue): TensorStorage | InertGlobal {
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

/** The values that opcodes push. */
const PRODUCERS: Readonly<Record<number, (machine: Machine) => PickleValue>> = {
  [OP.NONE]: () => null,
  [OP.NEWTRUE]: () => true,
  [OP.NEWFALSE]: () => false,
  [OP.BININT]: ({ cursor }) => cursor.int32(),
  [OP.BININT1]: ({ cursor }) => cursor.uint8(),
  [OP.BININT2]: ({ cursor }) => cursor.uint16(),
  [OP.LONG1]: ({ cursor }) => cursor.integer(cursor.uint8()),
  [OP.LONG4]: ({ cursor }) => cursor.integer(cursor.uint32()),
  [OP.BINFLOAT]: ({ cursor }) => cursor.float64(),
  [OP.INT]: ({ cursor, stack }) => parseInt0(cursor.latin1Line(), stack.at),
  [OP.LONG]: ({ cursor, stack }) => parseLong(cursor.latin1Line(), stack.at),
  [OP.FLOAT]: ({ cursor, stack }) => parseFloat0(cursor.latin1Line(), stack.at),
  [OP.UNICODE]: ({ cursor, stack }) => parseUnicode(cursor.latin1Line(), stack.at),
  [OP.BINUNICODE]: ({ cursor }) => cursor.text(cursor.uint32()),
  [OP.SHORT_BINUNICODE]: ({ cursor }) => cursor.text(cursor.uint8()),
  [OP.BINUNICODE8]: ({ cursor }) => cursor.text(cursor.uint64()),
  [OP.STRING]: ({ calls, cursor, stack }) => calls.made(parseString(cursor.latin1Line(), stack.at)),
  [OP.BINSTRING]: ({ calls, cursor }) => calls.made(cursor.oldString(cursor.uint32())),
  [OP.SHORT_BINSTRING]: ({ calls, cursor }) => calls.made(cursor.oldString(cursor.uint8())),
  [OP.BINBYTES]: ({ calls, cursor }) => calls.made(cursor.take(cursor.uint32())),
  [OP.SHORT_BINBYTES]: ({ calls, cursor }) => calls.made(cursor.take(cursor.uint8())),
  [OP.BINBYTES8]: ({ calls, cursor }) => calls.made(cursor.take(cursor.uint64())),
  [OP.BYTEARRAY8]: ({ calls, cursor }) => calls.made(cursor.take(cursor.uint64())),
  [OP.EMPTY_TUPLE]: ({ calls }) => calls.made(new PickleTuple([])),
  [OP.TUPLE1]: ({ calls, stack }) => calls.made(new PickleTuple(stack.popMany(1))),
  [OP.TUPLE2]: ({ calls, stack }) => calls.made(new PickleTuple(stack.popMany(2))),
  [OP.TUPLE3]: ({ calls, stack }) => calls.made(new PickleTuple(stack.popMany(3))),
  [OP.TUPLE]: ({ calls, stack }) => calls.made(new PickleTuple(stack.popToMark())),
  [OP.EMPTY_LIST]: ({ calls }) => calls.made([]),
  [OP.LIST]: ({ calls, stack }) => calls.made(stack.popToMark()),
  [OP.EMPTY_DICT]: ({ calls }) => calls.made(new Map()),
  [OP.DICT]: (machine) => machine.dict(),
  [OP.EMPTY_SET]: ({ calls }) => calls.made(new Set()),
  [OP.FROZENSET]: ({ calls, stack }) => calls.made(frozenSet(stack.popToMark(), stack.at)),
  [OP.DUP]: ({ stack }) => stack.top(),
  [OP.BINGET]: ({ cursor, stack }) => stack.recall(cursor.uint8()),
  [OP.LONG_BINGET]: ({ cursor, stack }) => stack.recall(cursor.uint32()),
  [OP.GET]: ({ cursor, stack }) => stack.recall(cursor.decimalIndex()),
  [OP.GLOBAL]: (machine) => machine.lineGlobal(),
  [OP.STACK_GLOBAL]: (machine) => machine.stackGlobal(),
  [OP.REDUCE]: (machine) => machine.calls.call(...machine.popCall()),
  [OP.INST]: (machine) => machine.calls.call(machine.lineGlobal(), machine.stack.popToMark()),
  [OP.OBJ]: ({ calls, stack }) => {
    const [kind, ...args] = stack.popToMark();
    return calls.call(kind, args);
  },
  [OP.NEWOBJ]: (machine) => machine.calls.newObject(...machine.popCall()),
  [OP.NEWOBJ_EX]: (machine) => {
    const keywords = machine.stack.pop();
    const [kind, args] = machine.popCall();
    return machine.calls.newObject(kind, [...args, keywords]);
  },
  [OP.PERSID]: (machine) => machine.storage(parseStorageId(machine.cursor.latin1Line(), machine.stack.at)),
  [OP.BINPERSID]: (machine) => machine.storage(machine.stack.pop()),
};

/** The effects of opcodes that modify existing values. */
const ACTIONS: Readonly<Record<number, (machine: Machine) => void>> = {
  [OP.MARK]: ({ stack }) => stack.mark(),
  [OP.POP]: ({ stack }) => stack.discard(),
  [OP.POP_MARK]: ({ stack }) => stack.popToMark(),
  [OP.BINPUT]: ({ cursor, stack }) => stack.memorise(cursor.uint8()),
  [OP.LONG_BINPUT]: ({ cursor, stack }) => stack.memorise(cursor.uint32()),
  [OP.PUT]: ({ cursor, stack }) => stack.memorise(cursor.decimalIndex()),
  [OP.MEMOIZE]: ({ stack }) => stack.memoriseNext(),
  [OP.APPEND]: (machine) => machine.fill(append, machine.stack.popMany(1)),
  [OP.APPENDS]: (machine) => machine.fill(append, machine.stack.popToMark()),
  [OP.SETITEM]: (machine) => machine.fill(setEntries, machine.withArrays(machine.stack.popMany(2))),
  [OP.SETITEMS]: (machine) => machine.fill(setEntries, machine.withArrays(machine.stack.popToMark())),
  [OP.ADDITEMS]: (machine) => machine.fill(addToSet, machine.stack.popToMark()),
  [OP.BUILD]: (machine) => machine.build(),
  [OP.FRAME]: ({ cursor }) => cursor.expect(cursor.uint64()),
  [OP.PROTO]: ({ stack }) => stack.fail('the pickle changes its protocol midway'),
};

/**
 * Reads one pickle. Nothing in it is executed.
 * @throws CheckpointError 'truncated', 'pickle-format', 'pickle-opcode', 'forbidden-global', 'refused-call', 'limit',
 * 'tensor-format', 'tensor-bounds', 'dtype', and whatever `options.storage` throws
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): Unpickled {
  return new Machine(bytes, options).run();
}
