/** A file on disk as a `ByteSource`: pieces are read on request, the file is never in memory as a whole. */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ByteSource } from '../converters/byte_source.js';
import { CheckpointError } from '../converters/pytorch/errors.js';
import { cannotOpen } from './system_error.js';

export interface FileSource extends ByteSource {
  /**
   * Throws `CheckpointError` if the path now refers to another file, or the size or modification time has changed since the file
   * was opened.
   */
  checkUnchanged(): Promise<void>;
  /** Closes the file; later reads reject. */
  close(): Promise<void>;
}

/**
 * Opens a regular file for reading. `size` is its current size. Throws a one-line `Error` that names the file if it is missing,
 * not readable, or a directory, pipe, device or socket; `read` throws if the range exceeds the file, or the file has changed
 * since it was opened.
 */
export async function fileSource(path: string): Promise<FileSource> {
  const refuse = (error: unknown) => {
    throw cannotOpen(path, error);
  };
  // Opening a pipe would wait for its writer, and opening a device may have side effects.
  checkRegular(path, await stat(path, { bigint: true }).catch(refuse));
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(refuse);
  const opened = await handle.stat({ bigint: true });
  try {
    checkRegular(path, opened);
  } catch (error) {
    await handle.close();
    throw error;
  }
  const size = Number(opened.size);
  const absolute = resolve(path);
  const checkUnchanged = async () => {
    const now = await stat(absolute, { bigint: true }).catch(() => undefined);
    const isSame = (['dev', 'ino', 'size', 'mtimeNs'] as const).every((key) => now?.[key] === opened[key]);
    if (!isSame) throw new CheckpointError('read-failed', `${path}: the file changed while it was read`);
  };
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
      await checkUnchanged();
      return bytes;
    },
    checkUnchanged,
    close: () => handle.close(),
  };
}

function checkRegular(path: string, status: BigIntStats): void {
  if (status.isFile()) return;
  throw new Error(
    `cannot open "${path}": it is ${status.isDirectory() ? 'a directory' : 'not a regular file'}`,
  );
}

/** Node reads at most 2 GiB at a time. */
const MAX_READ = 1 << 30;

/** Fills `target` with the bytes of the file starting at `offset`. Throws `Error` naming `path` if the file is too short. */
export async function readExactly(
  handle: FileHandle,
  path: string,
  target: Uint8Array,
  offset: number,
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(target.length - done, MAX_READ);
    const { bytesRead } = await handle.read(target, done, length, offset + done);
    if (bytesRead === 0) throw new Error(`${path}: ends at byte ${offset + done}, shorter than when opened`);
    done += bytesRead;
  }
}

/**
 * The text of a small file.
 * @throws {Error} one line that names the file, if {@link fileSource} would throw, or it is larger than `most` bytes
 */
export async function readSmallFile(path: string, most: number): Promise<string> {
  const source = await fileSource(path);
  try {
    if (source.size > most) throw new Error(`"${path}" has ${source.size} bytes; at most ${most} are read`);
    return new TextDecoder().decode(await source.read(0, source.size));
  } finally {
    await source.close();
  }
}
