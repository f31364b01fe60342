// Detects the type of a file by its first bytes; its name is not reliable.

import type { ByteSource } from '../byte_source.js';
import { CheckpointError, quote } from './errors.js';
import { readBytes } from './file_pass.js';
import { MAX_SAFETENSORS_HEADER_BYTES } from './limits.js';
import type { PickleValue } from './pickle_values.js';

/** The containers that can be read. */
export type Container = 'zip' | 'legacy' | 'safetensors';

/** Something in the input that is not among the chosen weights, and why. */
export interface IgnoredEntry {
  readonly name: string;
  readonly reason: string;
}

/** The result of the readers of all containers. */
export interface OpenedContainer {
  readonly sha256: string;
  readonly value: PickleValue;
  /** As in `Unpickled` of pickle.ts. */
  readonly inert: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Parts of the file that were not used or not checked. */
  readonly ignored: readonly IgnoredEntry[];
}

/** `Checkpoint.inertGlobals` of a pickle. Python names may contain letters of any alphabet. */
export function describeInert(inert: ReadonlyMap<string, number>): string[] {
  const printable = (path: string): string => (/^[\x20-\x7e]{1,120}$/.test(path) ? path : quote(path));
  return [...inert].map(([path, count]) => `${printable(path)} (${count})`);
}

/** A tar's signature is at byte 257. */
const SNIFFED_BYTES = 512;

/** Start of a legacy file after its two protocol bytes: LONG1, ten bytes of magic number, STOP. */
const LEGACY_MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
/** From protocol 4 on it is preceded by a frame opcode with its length. */
const LEGACY_FRAME = [0x95, LEGACY_MAGIC.length, 0, 0, 0, 0, 0, 0, 0];
/** Protocols 0 and 1 write the magic number in decimal and have no protocol bytes. */
const LEGACY_TEXT = [...new TextEncoder().encode('L119547037146038801333356L\n.')];

const SIGNATURES: readonly (readonly [readonly number[], string])[] = [
  [[0x1f, 0x8b], 'a gzip file; unpack it first'],
  [[0x42, 0x5a, 0x68], 'a bzip2 file; unpack it first'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz file; unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file; unpack it first'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'a 7z archive; unpack it first'],
  [[0x52, 0x61, 0x72, 0x21], 'a rar archive; unpack it first'],
  [[0x89, 0x48, 0x44, 0x46], 'an HDF5 file (Keras); a PyTorch checkpoint is expected'],
  [[0x47, 0x47, 0x55, 0x46], 'a GGUF file (llama.cpp); a PyTorch checkpoint is expected'],
  [[0x93, 0x4e, 0x55, 0x4d], 'a NumPy array (.npy); a PyTorch checkpoint is expected'],
  [[0x89, 0x50, 0x4e, 0x47], 'a PNG image; a PyTorch checkpoint is expected'],
  [[0xff, 0xd8, 0xff], 'a JPEG image; a PyTorch checkpoint is expected'],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF document; a PyTorch checkpoint is expected'],
];

function describeText(text: string): string | undefined {
  const start = text.replace(/^\ufeff?\s*/, '').toLowerCase();
  if (start.startsWith('<!doctype html') || start.startsWith('<html') || start.startsWith('<head')) {
    return 'a web page, not a checkpoint: the download gave a login or error page; download the file itself';
  }
  if (start.startsWith('<?xml') || start.startsWith('<error')) {
    return 'an XML document, probably the error answer of a download; download the file again';
  }
  if (start.startsWith('version https://git-lfs')) {
    return 'a git-lfs pointer, not the file that it stands for; fetch that with "git lfs pull"';
  }
  if (start.startsWith('{') || start.startsWith('[')) {
    return 'a JSON document, probably the error answer of a download or an index; the weight file itself is expected';
  }
  if (/^[\t\n\r\x20-\x7e]{16,}$/.test(text.slice(0, 256)))
    return 'a text file; a PyTorch checkpoint is expected';
  return undefined;
}

function refuse(looksLike: string): never {
  throw new CheckpointError('not-a-checkpoint', `the file is ${looksLike}`, 0);
}

/**
 * Detects the container by content.
 * @throws CheckpointError 'not-a-checkpoint' that says what the file looks like instead
 */
export async function detectContainer(source: ByteSource): Promise<Container> {
  if (source.size === 0) refuse('empty; download or copy it again');
  const head = await readBytes(source, 0, Math.min(source.size, SNIFFED_BYTES), "the file's start");
  const begins = (bytes: readonly number[], at = 0): boolean =>
    bytes.every((byte, i) => head[at + i] === byte);

  if (begins([0x50, 0x4b, 0x03, 0x04]) || begins([0x50, 0x4b, 0x05, 0x06])) return 'zip';
  // Tested first, as a header's length may begin with any bytes, even those of a pickle.
  if (source.size >= 10 && begins([0x7b], 8)) {
    const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
    if (length <= BigInt(MAX_SAFETENSORS_HEADER_BYTES)) return 'safetensors';
  }
  if (head[0] === 0x80) {
    const framed = begins(LEGACY_FRAME, 2) ? LEGACY_FRAME.length : 0;
    if (begins(LEGACY_MAGIC, 2 + framed)) return 'legacy';
    return refuse('a pickle that torch.save did not write; save the state dict with torch.save');
  }
  if (begins(LEGACY_TEXT)) return 'legacy';
  for (const [signature, description] of SIGNATURES) {
    if (begins(signature)) refuse(description);
  }
  if (begins([0x75, 0x73, 0x74, 0x61, 0x72], 257)) {
    refuse(
      'a tar archive (as torch 0.1 saved them, or a packed folder); load it in torch and save it again, or unpack it',
    );
  }
  if (head.every((byte) => byte === 0)) refuse('full of zeros, an interrupted download; download it again');
  const text = describeText(new TextDecoder('latin1').decode(head));
  return refuse(text ?? 'no known container; a file of torch.save or a .safetensors file is expected');
}
