// Writes safetensors files in memory. For the source of the format see ../../converters/pytorch/safetensors.ts.

/** Dtypes that can be written, with their bytes per value. */
const ITEM_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

/** The header is padded with spaces to a multiple of this, so that the data is aligned for every dtype. */
const ALIGNMENT = 8;

/** A tensor to write: row-major values of `shape`, in a view whose bytes are those of `dtype`. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: keyof typeof ITEM_BYTES;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * Encodes tensors as a safetensors file, in this order.
 * @throws {Error} if a name occurs twice or is reserved, or a shape does not match its data.
 */
export function encodeSafetensors(
  tensors: readonly SafetensorsTensor[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const members: string[] = [];
  if (metadata !== undefined) members.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const names = new Set(['__metadata__']);
  let dataBytes = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name)) throw new Error(`encodeSafetensors: the name ${JSON.stringify(name)} is taken`);
    names.add(name);
    const bytes = shape.reduce((product, size) => product * size, ITEM_BYTES[dtype]);
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || bytes !== data.byteLength) {
      throw new Error(
        `encodeSafetensors: ${JSON.stringify(name)} of shape [${shape.join()}] and type ${dtype} has ` +
          `${data.byteLength} bytes, ${bytes} are expected`,
      );
    }
    const end = dataBytes + bytes;
    const record = { dtype, shape, data_offsets: [dataBytes, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(record)}`);
    dataBytes = end;
  }
  const json = new TextEncoder().encode(`{${members.join()}}`);
  const headerBytes = Math.ceil(json.byteLength / ALIGNMENT) * ALIGNMENT;
  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(json, 8);
  let at = 8 + headerBytes;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
