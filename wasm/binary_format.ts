/** Reads and rewrites our modules in WebAssembly's binary format: https://webassembly.github.io/spec/core/binary/ */

export type Bytes = Uint8Array<ArrayBuffer>;

/** The start of every module: `\0asm` and the version. */
export const PREAMBLE: Bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Reads from a given position. */
export class Cursor {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
  ) {}

  byte(): number {
    return this.bytes[this.at++];
  }

  /** Reads an unsigned LEB128 number. */
  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

const IMPORT_SECTION = 2;
const IMPORTED = { function: 0, table: 1, memory: 2, global: 3 } as const;
const HAS_MAXIMUM = 1;
const SHARED = 2;
/** 4 GB. A maximum below that of tfjs's memory would fail to link. */
const MAXIMUM_PAGES = 65536;

/**
 * Rewrites a module that imports a memory so that it imports a shared one: code without atomic instructions runs in both,
 * and the two modules differ only in the type of the memory.
 * @throws {Error} if the module imports no memory.
 */
export function withSharedMemory(module: Uint8Array): Bytes {
  const cursor = new Cursor(module, PREAMBLE.length);
  while (cursor.at < module.length) {
    const start = cursor.at;
    const id = cursor.byte();
    const end = cursor.unsigned() + cursor.at;
    if (id === IMPORT_SECTION) {
      const content = cursor.at;
      const limits = memoryLimits(cursor);
      const changed = [
        ...module.subarray(content, limits.start),
        HAS_MAXIMUM | SHARED,
        ...leb128(limits.minimum),
        ...leb128(MAXIMUM_PAGES),
        ...module.subarray(limits.end, end),
      ];
      const section = [id, ...leb128(changed.length), ...changed];
      return Uint8Array.from([...module.subarray(0, start), ...section, ...module.subarray(end)]);
    }
    cursor.at = end;
  }
  throw new Error('the module imports nothing, expected a memory');
}

/** Finds the memory among the imports that start at the cursor. */
function memoryLimits(cursor: Cursor): {
  readonly start: number;
  readonly end: number;
  readonly minimum: number;
} {
  const readLimits = () => {
    const flags = cursor.byte();
    const minimum = cursor.unsigned();
    if (flags & HAS_MAXIMUM) cursor.unsigned();
    return minimum;
  };
  for (let left = cursor.unsigned(); left > 0; left--) {
    for (const _ of ['module', 'name']) {
      const length = cursor.unsigned();
      cursor.at += length;
    }
    switch (cursor.byte()) {
      case IMPORTED.function:
        cursor.unsigned();
        break;
      case IMPORTED.table:
        cursor.byte();
        readLimits();
        break;
      case IMPORTED.memory: {
        const start = cursor.at;
        const minimum = readLimits();
        return { start, end: cursor.at, minimum };
      }
      case IMPORTED.global:
        cursor.at += 2;
        break;
    }
  }
  throw new Error('the module imports no memory, expected one');
}
