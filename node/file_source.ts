/** A file on disk as a `ByteSource`: pieces are read where they are wanted, the file is never held whole. */
import { type FileHandle, open } from 'node:fs/promises';
import type { ByteSource } from '../converters/byte_source.js';

export interface FileSource extends ByteSource {
  /** Closes the file; reading afterwards rejects. */
  close(): Promise<void>;
}

/**
 * Opens a regular file for reading. `size` is its size now.
 * Throws `Error`, one line that names the file, when it is missing, a directory, or may not be read;
 * `read` throws when the range leaves the file or the file has become shorter since.
 */
export async function fileSource(path: string): Promise<FileSource> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`cannot open ${path}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  const status = await handle.stat();
  if (!status.isFile()) {
    await handle.close();
    throw new Error(
      `cannot open ${path}: it is ${status.isDirectory() ? 'a directory' : 'not a regular file'}`,
    );
  }
  const { size } = status;
  return {
    name: path,
    size,
    async read(offset, length) {
      const inside =
        Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
      if (!inside || offset + length > size) {
        throw new Error(`${path}: bytes ${offset} to ${offset + length} are outside its ${size} bytes`);
      }
      const bytes = new Uint8Array(length);
      await readExactly(handle, path, bytes, offset);
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** Node reads at most 2 GiB at a time. */
const MAX_READ = 1 << 30;

/**
 * Fills `target` with the bytes of the file from `offset` on.
 * Throws `Error` naming `path` when the file ends before.
 */
export async function readExactly(
  handle: FileHandle,
  path: string,
  target: Uint8Array,
  offset: number,
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const want = Math.min(target.length - done, MAX_READ);
    const { bytesRead } = await handle.read(target, done, want, offset + done);
    if (bytesRead === 0) throw new Error(`${path}: ends at byte ${offset + done}, shorter than when opened`);
    done += bytesRead;
  }
}
