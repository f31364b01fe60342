/**
 * Checks of external values: arguments of public functions, metadata of models, tokenizers. An error says in one line what
 * was given and what is expected.
 */

/** @throws {Error} `<name> is <value>, expected ...` unless the check accepts the value. */
export type Check = (value: unknown, name: string) => void;

/** Returns the message of a check; undefined if the value is valid. */
export function problemOf(check: Check, value: unknown, name: string): string | undefined {
  try {
    check(value, name);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Describes a value by its type, and shows it if it is short. */
export function show(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return `${value}n`.slice(0, 40);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value !== 'object' || value === null) return String(value);
  const type: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof type === 'string' && type !== 'Object' ? `an object of type ${quote(type)}` : 'an object';
}

/** Quotes text of an untrusted file: short, on one line, without control characters. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  const hidden = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    hidden,
  );
}

/** @throws {Error} that says what is expected instead. */
export function refuse(value: unknown, name: string, expected: string): never {
  throw new Error(`${name} is ${show(value)}, expected ${expected}`);
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  const isOpen = max === Number.MAX_SAFE_INTEGER;
  const expected =
    isOpen && min === Number.MIN_SAFE_INTEGER
      ? 'an integer'
      : `an integer ${isOpen ? `of at least ${min}` : `from ${min} to ${max}`}`;
  return (value, name) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      refuse(value, name, expected);
    }
  };
}

/** Accepts finite numbers from `min` to `max`, both included. */
export function number(min: number, max: number): Check {
  return (value, name) => {
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      refuse(
        value,
        name,
        `a number ${max === Number.MAX_VALUE ? `of at least ${min}` : `from ${min} to ${max}`}`,
      );
    }
  };
}

/** @param maxLength in UTF-16 units */
export function text(maxLength: number): Check {
  return (value, name) => {
    if (typeof value !== 'string') refuse(value, name, 'a text');
    if (value.length > maxLength) {
      throw new Error(`${name} has ${value.length} characters, expected at most ${maxLength}`);
    }
  };
}

export function boolean(value: unknown, name: string): void {
  if (typeof value !== 'boolean') refuse(value, name, 'true or false');
}

export function aFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') refuse(value, name, 'a function');
}

export function abortSignal(value: unknown, name: string): void {
  if (!isRecord(value) || typeof value.throwIfAborted !== 'function') refuse(value, name, 'an AbortSignal');
}

export function oneOf(...values: readonly (string | number | boolean | null)[]): Check {
  return (value, name) => {
    if (!values.includes(value as string)) refuse(value, name, values.map(show).join(' or '));
  };
}

export function nullable(check: Check): Check {
  return (value, name) => {
    if (value !== null) check(value, name);
  };
}

export function optional(check: Check): Check {
  return (value, name) => {
    if (value !== undefined) check(value, name);
  };
}

/** Accepts missing and null values, since writers of JSON differ in how they mark unset fields. */
export function optionalOrNull(check: Check): Check {
  return optional(nullable(check));
}

export function listOf(item: Check, min: number, max: number): Check {
  return (value, name) => {
    if (!Array.isArray(value)) refuse(value, name, 'an array');
    if (value.length < min || value.length > max) {
      refuse(value, name, min === max ? `an array of ${min}` : `an array of ${min} to ${max}`);
    }
    for (let i = 0; i < value.length; i++) item(value[i], `${name}[${i}]`);
  };
}

/** Accepts objects with these fields; other fields are ignored. */
export function record(fields: Readonly<Record<string, Check>>): Check {
  return (value, name) => {
    if (!isRecord(value)) refuse(value, name, 'an object');
    for (const [field, check] of Object.entries(fields)) {
      check(Object.hasOwn(value, field) ? value[field] : undefined, `${name}.${field}`);
    }
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks the options of a public function: an object, or undefined. */
export function options(value: unknown, method: string, fields: Readonly<Record<string, Check>>): void {
  if (!isRecord(value)) refuse(value, `${method}: options`, 'an object');
  for (const [field, check] of Object.entries(fields)) {
    if (value[field] !== undefined) check(value[field], `${method}: ${field}`);
  }
}
