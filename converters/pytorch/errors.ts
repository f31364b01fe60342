// Every failure of the checkpoint readers is a CheckpointError with a code that programs can test.

/** Why a checkpoint was refused. */
export type CheckpointErrorCode =
  /** The source failed, or returned other bytes than requested. */
  | 'read-failed'
  /** The caller's AbortSignal fired. */
  | 'aborted'
  /** The file is of another type: a web page, a git-lfs pointer, a gzip, a tar... */
  | 'not-a-checkpoint'
  /** The file or a part of it ends too early. */
  | 'truncated'
  /** The zip's records contradict each other or the layout that torch writes. */
  | 'zip-format'
  /** A zip feature that torch never writes: compression, encryption, several disks. */
  | 'zip-unsupported'
  /** Two zip entries share bytes. */
  | 'zip-overlap'
  /** A zip entry's name is absolute, has `..`, occurs twice, or the like. */
  | 'zip-name'
  /** Bytes do not match their CRC-32: the file is damaged. */
  | 'crc-mismatch'
  /** The file was written on a big-endian machine. */
  | 'byte-order'
  /** The pickle stream is malformed. */
  | 'pickle-format'
  /** An unknown opcode, or one that refers to something outside the file. */
  | 'pickle-opcode'
  /** The pickle names a function or module that could run code. */
  | 'forbidden-global'
  /** The zip refers to a class by its source code. */
  | 'refused-call'
  /** A limit of limits.ts was exceeded. */
  | 'limit'
  /** A tensor's record is malformed. */
  | 'tensor-format'
  /** A tensor reaches outside its storage. */
  | 'tensor-bounds'
  /** A storage's bytes are missing, or not as many as the pickle says. */
  | 'storage-size'
  /** The values are missing, or their type or form cannot be read. */
  | 'dtype'
  /** A tensor has values that the requested type cannot represent. */
  | 'values'
  /** A legacy (non-zip) file violates its layout. */
  | 'legacy-format'
  /** A safetensors file violates its layout. */
  | 'safetensors-format'
  /** The file does not contain the requested weights. */
  | 'weights-not-found';

/** A checkpoint that cannot be read or is refused. `message` is one line: what was found, what is expected. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
  readonly code: CheckpointErrorCode;
  /** Byte offset of the problem in the file, if there is one. */
  readonly offset: number | undefined;

  constructor(code: CheckpointErrorCode, message: string, offset?: number, cause?: unknown) {
    super(offset === undefined ? message : `${message} (at byte ${offset})`, { cause });
    this.code = code;
    this.offset = offset;
  }
}

/** Maximum length of text from a file that a message quotes. */
const QUOTED_CHARACTERS = 120;

/**
 * Text from a file, made safe for one line of a terminal: quoted, truncated, and with everything other than printable ASCII
 * escaped, so that a hostile name can neither break the line nor send control sequences.
 */
export function quote(text: string): string {
  const cut = text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}...` : text;
  const escaped = cut.replace(/[^\x20-\x7e]|["\\]/g, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}
