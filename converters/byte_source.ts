// Random access to the bytes of a file in memory, in a browser's Blob or on disk (the last is in node/). Readers request pieces
// and never the whole file.

/** A file that can be read at any offset. Sizes and offsets are in bytes. */
export interface ByteSource {
  /** Name of the file for messages and metadata. */
  readonly name: string;
  readonly size: number;
  /** Reads exactly `length` bytes starting at `offset`; rejects if there are fewer. The caller must not modify them. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Rejects if the file has changed since it was opened. Absent if its bytes cannot change. */
  checkUnchanged?(): Promise<void>;
}

function checkRange(source: { name: string; size: number }, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > source.size) {
    throw new RangeError(
      `${source.name}: bytes ${offset}..${offset + length} asked for, the file has ${source.size}`,
    );
  }
}

/** A source over bytes in memory, without a copy. */
export function bytesSource(bytes: Uint8Array | ArrayBuffer, name = 'bytes'): ByteSource {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const size = view.byteLength;
  return {
    name,
    size,
    async read(offset, length) {
      checkRange({ name, size }, offset, length);
      return view.subarray(offset, offset + length);
    },
  };
}

/** A source over a Blob or File (a browser's file picker, a fetched response); only the requested slices are loaded. */
export function blobSource(blob: Blob, name?: string): ByteSource {
  const title = name ?? ('name' in blob && typeof blob.name === 'string' ? blob.name : 'blob');
  const size = blob.size;
  return {
    name: title,
    size,
    async read(offset, length) {
      checkRange({ name: title, size }, offset, length);
      const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      if (bytes.byteLength !== length) {
        throw new RangeError(`${title}: ${bytes.byteLength} bytes came where ${length} were asked for`);
      }
      return bytes;
    },
  };
}
