/** Reads the bytes of image files. */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { MAX_FILE_BYTES } from '../../plugin/image/read.js';
import { reasonOf } from '../system_error.js';

/** Without O_NONBLOCK, opening a pipe waits for its writer. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** An image that cannot be read; the message says why. */
export class UnreadableImage extends Error {}

/** @throws {UnreadableImage} unless it is a file of at most MAX_FILE_BYTES */
export async function fileBytes(file: string): Promise<Uint8Array> {
  const handle = await open(file, FLAGS).catch(refuse);
  try {
    checkFile(await handle.stat());
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Maximum size of files that are read on the calling thread. */
const SMALL_BYTES = 2 ** 18;
/** Maximum milliseconds to read a cached file; a handover to other threads takes most of that. */
const QUICK_MS = 1;
/** Number of files read on other threads after a slow one. */
const PATIENCE = 50;

/**
 * For threads that only process images: like `fileBytes`, but small files are read on the calling thread while that is fast. The
 * four calls through which {@link fileBytes} uses libuv's threads take ten times as long as reading a small file from the page
 * cache. After a slow read, as from a disk or over a network, other threads read the next files.
 */
export class QuickFiles {
  private left = 0;

  async bytes(file: string): Promise<Uint8Array> {
    if (this.left > 0) this.left--;
    else {
      const start = performance.now();
      const bytes = smallFile(file);
      if (performance.now() - start > QUICK_MS) this.left = PATIENCE;
      if (bytes) return bytes;
    }
    return fileBytes(file);
  }
}

/** The bytes of a file, or undefined if it is large. */
function smallFile(file: string): Uint8Array | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, FLAGS);
  } catch (error) {
    return refuse(error);
  }
  try {
    const status = fstatSync(descriptor);
    checkFile(status);
    return status.size > SMALL_BYTES ? undefined : readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function refuse(error: unknown): never {
  throw new UnreadableImage(reasonOf(error));
}

function checkFile(status: Stats): void {
  if (status.isDirectory()) throw new UnreadableImage('it is a directory');
  if (!status.isFile()) throw new UnreadableImage('it is not a regular file');
  checkSize(status.size);
}

/** @throws {UnreadableImage} for more bytes than the limit */
export function checkSize(bytes: number): void {
  if (bytes > MAX_FILE_BYTES) throw new UnreadableImage(`${bytes} bytes, at most ${MAX_FILE_BYTES} are read`);
}
