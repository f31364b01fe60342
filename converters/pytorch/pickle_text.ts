// The arguments of protocol 0's opcodes: numbers and strings as Python source text, one per line.

import { CheckpointError } from './errors.js';
import { MAX_INTEGER_BYTES } from './limits.js';
import { textOrBytes } from './pickle_cursor.js';

/** Digits of an integer of MAX_INTEGER_BYTES bytes. */
const MAX_DIGITS = Math.floor(MAX_INTEGER_BYTES * 8 * Math.log10(2));

const ESCAPES: Readonly<Record<string, number>> = {
  '\\': 0x5c,
  "'": 0x27,
  '"': 0x22,
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
};

const NUMERIC_ESCAPE = /x([0-9a-fA-F]{2})|([0-7]{1,3})/y;

function malformed(what: string, offset: number): never {
  throw new CheckpointError('pickle-format', `the pickle has ${what} that is malformed`, offset);
}

/** INT: an integer; `00` and `01` are booleans. */
export function parseInt0(text: string, offset: number): boolean | number | bigint {
  if (text === '00' || text === '01') return text === '01';
  return parseLong(text, offset);
}

/** LONG: an integer, with or without Python 2's `L`. */
export function parseLong(text: string, offset: number): number | bigint {
  const digits = text.replace(/L$/, '');
  if (!/^-?[0-9]+$/.test(digits)) return malformed('an integer', offset);
  if (digits.length > MAX_DIGITS) {
    const message = `the pickle has an integer of ${digits.length} digits; at most ${MAX_DIGITS} are read`;
    throw new CheckpointError('limit', message, offset);
  }
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : BigInt(digits);
}

/** FLOAT: a number as written by Python's repr. */
export function parseFloat0(text: string, offset: number): number {
  const special: Readonly<Record<string, number>> = {
    inf: Number.POSITIVE_INFINITY,
    '-inf': Number.NEGATIVE_INFINITY,
    nan: Number.NaN,
    '-nan': Number.NaN,
  };
  if (Object.hasOwn(special, text)) return special[text];
  if (!/^-?[0-9]{1,400}(\.[0-9]{0,400})?(e[+-]?[0-9]{1,5})?$/i.test(text)) malformed('a float', offset);
  return Number(text);
}

/** STRING: a byte string as written by Python 2's repr. */
export function parseString(text: string, offset: number): string | Uint8Array {
  const quote = text[0];
  const closed = text.length >= 2 && (quote === "'" || quote === '"') && text.endsWith(quote);
  if (!closed) malformed('a string', offset);
  const bytes = new Uint8Array(text.length - 2);
  let length = 0;
  for (let i = 1; i < text.length - 1; i++) {
    if (text[i] !== '\\') {
      bytes[length++] = text.charCodeAt(i);
      continue;
    }
    const escaped = text[++i];
    if (i === text.length - 1) malformed('a string', offset);
    NUMERIC_ESCAPE.lastIndex = i;
    const code = NUMERIC_ESCAPE.exec(text);
    if (code !== null) {
      bytes[length++] = code[1] === undefined ? Number.parseInt(code[2], 8) : Number.parseInt(code[1], 16);
      i += code[0].length - 1;
    } else if (Object.hasOwn(ESCAPES, escaped)) {
      bytes[length++] = ESCAPES[escaped];
    } else {
      malformed('a string', offset);
    }
  }
  return textOrBytes(bytes.slice(0, length));
}

/** UNICODE: text with backslashes, line ends and characters beyond Latin-1 as `\uXXXX` or `\UXXXXXXXX`. */
export function parseUnicode(text: string, offset: number): string {
  return text.replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g,
    (_, short: string | undefined, long: string | undefined) => {
      const code = Number.parseInt(short ?? long ?? '', 16);
      return code > 0x10ffff ? malformed('a text', offset) : String.fromCodePoint(code);
    },
  );
}
