// Which names a pickle may mention. Nothing is ever looked up or called: calls of torch's rebuild functions are reimplemented
// here, every other name and call stays a description. Names whose purpose is to run code are refused.

import { CheckpointError, quote } from './errors.js';
import { forbiddenCallReason, forbiddenReason } from './forbidden_globals.js';
import type { InertGlobal } from './pickle_values.js';

const BUILTINS: ReadonlySet<string> = new Set(['builtins', '__builtin__', '__builtins__']);

/** Names of builtins that are data types. */
const BUILTIN_TYPES: ReadonlySet<string> = new Set(
  'set frozenset list dict tuple int long float complex bool str unicode bytes bytearray slice range xrange object'.split(
    ' ',
  ),
);

/** Module and class names as Python writes them; a pickle may contain any text. */
const IDENTIFIER_PATH = /^[_\p{ID_Start}][\p{ID_Continue}]*(\.[_\p{ID_Start}][\p{ID_Continue}]*)*$/u;

/** @throws CheckpointError 'forbidden-global', always */
function refuse(path: string, reason: string, offset: number): never {
  throw new CheckpointError(
    'forbidden-global',
    `the pickle names ${quote(path)}, which ${reason}: the file is refused, and nothing in it was executed`,
    offset,
  );
}

/**
 * Accepts a name, or refuses it even if it is not called.
 * @param walks whether `name` may be a path through attributes, `Class.method`, as from protocol 4 on
 * @throws CheckpointError 'forbidden-global' for anything that could run code, 'pickle-format' for a malformed name
 */
export function checkGlobal(module: string, name: string, offset: number, walks: boolean): void {
  const path = `${module}.${name}`;
  if (!IDENTIFIER_PATH.test(module) || !IDENTIFIER_PATH.test(name)) {
    throw new CheckpointError(
      'pickle-format',
      `the pickle names ${quote(path)}, which is not a Python name`,
      offset,
    );
  }
  const reason = forbiddenReason(module, name);
  if (reason !== undefined) refuse(path, reason, offset);
  if (!walks && name.includes('.')) refuse(path, 'reaches through another object', offset);
}

/** @throws CheckpointError 'forbidden-global' for a call of a function that runs code, whatever module it is named in */
export function checkCall({ path, name, at }: InertGlobal): void {
  const reason = forbiddenCallReason(name);
  if (reason !== undefined) refuse(path, reason, at);
}

/** @throws CheckpointError 'forbidden-global', always: getattr with anything other than an object and one plain name */
export function refuseGetattr({ path, at }: InertGlobal): never {
  return refuse(path, 'reaches into an object that is not named', at);
}

/** Whether this is Python's getattr, whose module's name depends on the Python version. */
export function isGetattr({ module, name }: InertGlobal): boolean {
  return BUILTINS.has(module) && name === 'getattr';
}

/** The name of a builtin type, whose module's name depends on the Python version; undefined for everything else. */
export function builtinType({ module, name }: InertGlobal): string | undefined {
  return BUILTINS.has(module) && BUILTIN_TYPES.has(name) ? name : undefined;
}
