// safetensors files: 8 bytes of header length, a JSON header, and contiguous tensors. Source of the rules: the format's
// description, github.com/huggingface/safetensors, README, "Format".

import type { ByteSource } from '../byte_source.js';
import type { OpenedContainer } from './container.js';
import { type DType, ITEM_BYTES, SAFETENSORS_DTYPES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { FilePass, type PassOptions, readBytes } from './file_pass.js';
import {
  MAX_RANK,
  MAX_SAFETENSORS_HEADER_BYTES,
  MAX_SAFETENSORS_METADATA,
  MAX_SAFETENSORS_TENSORS,
} from './limits.js';
import type { PickleMap } from './pickle_values.js';
import { type Json, parseStrictJson, StrictJsonError } from './strict_json.js';
import { rowMajorStrides, StoredTensor, TensorStorage } from './tensor.js';

/** Bytes of the header's length. */
const LENGTH_BYTES = 8;

/** The header's description of a tensor. `begin` and `end` are byte offsets from the start of the file. */
export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In header order. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

function fail(message: string, offset = LENGTH_BYTES): never {
  throw new CheckpointError('safetensors-format', message, offset);
}

async function readHeaderText(source: ByteSource): Promise<{ text: string; dataOffset: number }> {
  const head = await readBytes(source, 0, LENGTH_BYTES, "the safetensors header's length");
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_SAFETENSORS_HEADER_BYTES)) {
    const message = `the safetensors header claims ${length} bytes; at most ${MAX_SAFETENSORS_HEADER_BYTES} are read`;
    throw new CheckpointError('limit', message, 0);
  }
  const bytes = await readBytes(source, LENGTH_BYTES, Number(length), 'the safetensors header');
  if (bytes[0] !== 0x7b) fail("the safetensors header does not begin with '{'");
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, dataOffset: LENGTH_BYTES + bytes.byteLength };
  } catch {
    return fail('the safetensors header is not UTF-8');
  }
}

function parseHeader(text: string): ReadonlyMap<string, Json> {
  // Per tensor: itself, its three fields, two data offsets, and the sizes of its shape.
  const members = MAX_SAFETENSORS_TENSORS * (6 + 4) + MAX_SAFETENSORS_METADATA;
  try {
    const header = parseStrictJson(text, members);
    return header instanceof Map ? header : fail('the safetensors header is not a JSON object');
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    const offset = LENGTH_BYTES + new TextEncoder().encode(text.slice(0, error.position)).byteLength;
    return fail(`the safetensors header is malformed: ${error.message}`, offset);
  }
}

function parseMetadata(json: Json | undefined): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (json === undefined) return metadata;
  if (!(json instanceof Map)) fail('the safetensors metadata is not a JSON object');
  if (json.size > MAX_SAFETENSORS_METADATA) {
    throw new CheckpointError(
      'limit',
      `the safetensors metadata has over ${MAX_SAFETENSORS_METADATA} entries`,
    );
  }
  for (const [key, value] of json) {
    if (typeof value !== 'string') fail(`the safetensors metadata ${quote(key)} is not text`);
    metadata.set(key, value);
  }
  return metadata;
}

function wholeNumbers(json: Json | undefined): readonly number[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const numbers = json.filter((item): item is number => Number.isSafeInteger(item) && item >= 0);
  return numbers.length === json.length ? numbers : undefined;
}

function parseEntry(name: string, json: Json, dataOffset: number, fileSize: number): SafetensorsEntry {
  const title = `the safetensors tensor ${quote(name)}`;
  if (!(json instanceof Map)) return fail(`${title} is not described by a JSON object`);
  const dtypeName = json.get('dtype');
  const dtype = typeof dtypeName === 'string' ? SAFETENSORS_DTYPES.get(dtypeName) : undefined;
  const shape = wholeNumbers(json.get('shape'));
  const offsets = wholeNumbers(json.get('data_offsets'));
  if (dtype === undefined) {
    const found = typeof dtypeName === 'string' ? quote(dtypeName) : 'none';
    throw new CheckpointError('dtype', `${title} has the unknown type ${found}`, LENGTH_BYTES);
  }
  if (shape === undefined || shape.length > MAX_RANK) {
    return fail(`${title} has no shape of up to ${MAX_RANK} sizes that are 0 or more`);
  }
  if (offsets?.length !== 2 || offsets[0] > offsets[1] || json.size !== 3) {
    return fail(`${title} is not described by dtype, shape and ordered data_offsets alone`);
  }
  const [begin, end] = offsets.map((offset) => offset + dataOffset);
  if (end > fileSize) {
    const message = `${title} ends at byte ${end}, the file at ${fileSize}: it is incomplete or damaged`;
    throw new CheckpointError('truncated', message, fileSize);
  }
  // Beyond 2^53 the product is rounded, but still far larger than any file.
  const bytes = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, ITEM_BYTES[dtype]);
  if (bytes !== end - begin) {
    return fail(
      `${title} of shape [${shape.join()}] has ${end - begin} bytes where ${bytes} are expected`,
      begin,
    );
  }
  return { dtype, shape, begin, end };
}

/**
 * Reads and validates only the header.
 * @throws CheckpointError 'safetensors-format', 'truncated', 'limit', 'dtype', 'read-failed'
 */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const { text, dataOffset } = await readHeaderText(source);
  const header = parseHeader(text);
  if (header.size > MAX_SAFETENSORS_TENSORS + 1) {
    throw new CheckpointError('limit', `the safetensors file has over ${MAX_SAFETENSORS_TENSORS} tensors`);
  }
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, json] of header) {
    if (name !== '__metadata__') tensors.set(name, parseEntry(name, json, dataOffset, source.size));
  }
  let covered = dataOffset;
  for (const [name, { begin, end }] of [...tensors].sort(
    (a, b) => a[1].begin - b[1].begin || a[1].end - b[1].end,
  )) {
    if (begin !== covered) {
      const what =
        begin < covered ? 'overlaps another one' : `leaves ${begin - covered} bytes unused before it`;
      fail(`the safetensors tensor ${quote(name)} ${what}`, begin);
    }
    covered = end;
  }
  if (covered !== source.size)
    fail(`${source.size - covered} bytes follow the last safetensors tensor`, covered);
  return { tensors, metadata: parseMetadata(header.get('__metadata__')) };
}

/** A validated entry as a tensor. */
function storedTensor(source: ByteSource, name: string, entry: SafetensorsEntry): StoredTensor {
  const { dtype, shape, begin, end } = entry;
  const storage = new TensorStorage(source, name, dtype, (end - begin) / ITEM_BYTES[dtype], begin);
  return new StoredTensor({ storage, dtype, shape, strides: rowMajorStrides(shape), offset: 0 }, begin);
}

/**
 * Opens a safetensors file; the value is a dict of its tensors, by name, in header order. The format has no checksums: a flipped
 * bit in the values cannot be detected.
 * @throws CheckpointError as `readSafetensorsHeader`, 'aborted'
 */
export async function openSafetensors(
  source: ByteSource,
  options: PassOptions = {},
): Promise<OpenedContainer> {
  const { tensors, metadata } = await readSafetensorsHeader(source);
  const value: PickleMap = new Map();
  for (const [name, entry] of tensors) value.set(name, storedTensor(source, name, entry));
  const sha256 = await new FilePass(source, options).finish();
  return { sha256, value, inert: new Map(), metadata, ignored: [] };
}
