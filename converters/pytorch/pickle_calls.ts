// What a pickle asks for beyond plain data: names, calls, objects, attributes. Nothing is looked up or called; the results of
// torch's own functions and of containers are known, everything else becomes a description.

import { quote } from './errors.js';
import { MAX_COPIED_ITEMS, MAX_GLOBAL_NAME, MAX_GLOBALS, MAX_OBJECTS, MAX_PICKLE_BYTES } from './limits.js';
import { arrayTensor } from './numpy_array.js';
import { sizeOf } from './pickle_containers.js';
import { builtinType, checkCall, checkGlobal, isGetattr, refuseGetattr } from './pickle_globals.js';
import type { PickleStack } from './pickle_stack.js';
import { InertGlobal, InertObject, type PickleValue } from './pickle_values.js';
import { storageDtype } from './storage_id.js';
import type { StoredTensor } from './tensor.js';
import { findRebuild } from './tensor_rebuilds.js';
import { callGlobal, makeObject } from './torch_calls.js';

/** Parts of NumPy arrays, which are not reported as left out when the arrays are read. */
const ARRAY_PARTS: ReadonlySet<string> = new Set(['numpy.ndarray', 'numpy.dtype']);

/** The names in one pickle and the objects made from them, all counted. */
export class PickleCalls {
  private readonly globals = new Map<string, InertGlobal>();
  private readonly inert = new Map<string, number>();
  /** Names that are called, or instantiated. */
  private readonly called = new Set<InertGlobal>();
  /** NumPy arrays that were converted to tensors. */
  private readonly arrays = new Map<InertObject, StoredTensor>();
  private objects = 0;
  private copied = 0;
  private copiedBytes = 0;

  /** @param stack for the offset of the current opcode */
  constructor(private readonly stack: PickleStack) {}

  /** Counts an object. */
  made<T extends PickleValue>(value: T): T {
    if (++this.objects > MAX_OBJECTS) this.stack.limit('objects', MAX_OBJECTS);
    return value;
  }

  /** A name; for `walks` see checkGlobal. */
  global(module: string, name: string, walks: boolean): InertGlobal {
    const longest = Math.max(module.length, name.length);
    if (longest > MAX_GLOBAL_NAME) this.stack.limit('characters in a name', MAX_GLOBAL_NAME);
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

  /** A call: REDUCE, INST, OBJ. */
  call(value: PickleValue | undefined, args: readonly PickleValue[]): PickleValue {
    const callee = this.callee(value, args);
    if (callee instanceof InertObject) return this.counted(new InertObject(callee.class, [callee, ...args]));
    if (isGetattr(callee)) return this.attribute(callee, args);
    const [text, encoding] = args;
    if (callee.path === '_codecs.encode' && typeof text === 'string' && encoding === 'latin1') {
      return this.made(this.latin1Bytes(text));
    }
    const known = findRebuild(callee) === undefined ? args : args.map((arg) => this.withArrays(arg));
    return this.counted(callGlobal(callee, known, this.stack.at));
  }

  /** An object created without calling its class's `__init__`: NEWOBJ, NEWOBJ_EX. Objects of unknown classes are inert. */
  newObject(value: PickleValue, args: readonly PickleValue[]): PickleValue {
    const callee = this.callee(value, args);
    if (callee instanceof InertObject) return this.counted(new InertObject(callee.class, [callee, ...args]));
    if (findRebuild(callee) !== undefined)
      this.stack.fail(`the pickle makes an object of ${quote(callee.path)}, which is not a class`);
    return this.counted(makeObject(callee, args, this.stack.at));
  }

  /** The callee: a name, or an object returned by a call (`functools.partial(f)`). */
  private callee(value: PickleValue | undefined, args: readonly PickleValue[]): InertGlobal | InertObject {
    if (!(value instanceof InertGlobal) && !(value instanceof InertObject)) {
      return this.stack.fail('the pickle calls something that is not a global');
    }
    if (value instanceof InertGlobal) {
      checkCall(value);
      this.called.add(value);
    }
    // A container made from another one copies it: without a limit one long list could be copied a million times.
    for (const arg of args) this.copied += sizeOf(arg);
    if (this.copied > MAX_COPIED_ITEMS)
      this.stack.limit('values copied from container to container', MAX_COPIED_ITEMS);
    return value;
  }

  /** getattr(object, name): for a name another name, for everything else a description. */
  private attribute(getattr: InertGlobal, args: readonly PickleValue[]): PickleValue {
    const [object, name] = args;
    if (args.length < 2 || typeof name !== 'string' || name.length > MAX_GLOBAL_NAME) refuseGetattr(getattr);
    if (!(object instanceof InertGlobal)) {
      checkGlobal('object', name, this.stack.at, false);
      return this.counted(new InertObject(getattr.path, args));
    }
    this.called.add(object);
    return this.made(this.global(object.module, `${object.name}.${name}`, true));
  }

  /** Bytes as Python 3 writes them for protocol 2: a string of one character per byte. */
  private latin1Bytes(text: string): Uint8Array {
    this.copiedBytes += text.length;
    if (this.copiedBytes > MAX_PICKLE_BYTES) this.stack.limit('bytes in encoded texts', MAX_PICKLE_BYTES);
    const bytes = new Uint8Array(text.length); // Uint8Array.from takes many times as long
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    if (/[^\0-\xff]/.test(text)) this.stack.fail('the pickle encodes a text that is not Latin-1');
    return bytes;
  }

  /** Converts NumPy arrays to tensors where tensors are expected: in dicts, and as arguments of tensor rebuilders. */
  withArrays(value: PickleValue): PickleValue {
    if (!(value instanceof InertObject)) return value;
    const known = this.arrays.get(value);
    if (known !== undefined) return known;
    const tensor = arrayTensor(value);
    if (tensor === undefined) return value;
    this.arrays.set(value, tensor);
    this.count(value.class, -1);
    return this.made(tensor);
  }

  private count(name: string, change: number): void {
    this.inert.set(name, (this.inert.get(name) ?? 0) + change);
  }

  private counted(value: PickleValue): PickleValue {
    if (value instanceof InertObject) this.count(value.class, 1);
    return this.made(value);
  }

  /** Inert objects by class, and names that are values themselves: of functions, classes, members. */
  namesAndObjects(): Map<string, number> {
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
