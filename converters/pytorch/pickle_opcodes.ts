// The opcodes of Python's pickle format, by byte: those of the machine by constant, those refused by name.
// Source: Lib/pickletools.py of CPython, where each is described.

export const OP = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINSTRING: 0x54,
  SHORT_BINSTRING: 0x55,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  DICT: 0x64,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  LIST: 0x6c,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  NEWOBJ: 0x81,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
} as const;

const ANCIENT = 'a text opcode of pickle protocol 0';
const RECENT = 'an opcode of pickle protocol 4 or later';
const UNSAFE = 'an opcode that torch.save never writes';

const REFUSED: ReadonlyMap<number, readonly [string, string]> = new Map([
  [0x46, ['FLOAT', ANCIENT]],
  [0x49, ['INT', ANCIENT]],
  [0x4c, ['LONG', ANCIENT]],
  [0x53, ['STRING', ANCIENT]],
  [0x56, ['UNICODE', ANCIENT]],
  [0x67, ['GET', ANCIENT]],
  [0x70, ['PUT', ANCIENT]],
  [0x50, ['PERSID', ANCIENT]],
  [0x69, ['INST', UNSAFE]],
  [0x6f, ['OBJ', UNSAFE]],
  [0x82, ['EXT1', UNSAFE]],
  [0x83, ['EXT2', UNSAFE]],
  [0x84, ['EXT4', UNSAFE]],
  [0x8c, ['SHORT_BINUNICODE', RECENT]],
  [0x8d, ['BINUNICODE8', RECENT]],
  [0x8e, ['BINBYTES8', RECENT]],
  [0x8f, ['EMPTY_SET', RECENT]],
  [0x90, ['ADDITEMS', RECENT]],
  [0x91, ['FROZENSET', RECENT]],
  [0x92, ['NEWOBJ_EX', RECENT]],
  [0x93, ['STACK_GLOBAL', RECENT]],
  [0x94, ['MEMOIZE', RECENT]],
  [0x95, ['FRAME', RECENT]],
  [0x96, ['BYTEARRAY8', RECENT]],
  [0x97, ['NEXT_BUFFER', RECENT]],
  [0x98, ['READONLY_BUFFER', RECENT]],
]);

/** Why an opcode outside OP is refused, as one clause. */
export function describeRefusedOpcode(opcode: number): string {
  const known = REFUSED.get(opcode);
  const advice = 'save the checkpoint again with the default pickle protocol 2';
  return known === undefined
    ? `the pickle has the unknown opcode 0x${opcode.toString(16).padStart(2, '0')}: it is damaged or not a pickle`
    : `the pickle uses ${known[0]}, ${known[1]}; ${advice}`;
}
