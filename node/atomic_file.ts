/**
 * Output files. A regular file is either complete or unchanged: the new one is written beside it, then renamed. Anything else (a
 * pipe, a device such as /dev/null, standard output) is written to directly.
 */
import { constants, fstatSync, type Stats, write } from 'node:fs';
import { access, type FileHandle, lstat, open, readlink, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from './system_error.js';
import { forget, remember, removeStale, syncFile, syncFolder, unfinishedPath } from './unfinished.js';

/**
 * Minimum interval of searches of a folder for files left by terminated processes: a search reads all its names, which may be
 * many.
 */
const SEARCHED_MS = 10_000;
/** When each folder was searched. */
const searched = new Map<string, number>();
const MOST_FOLDERS = 1000;

async function removeStaleAtTimes(folder: string): Promise<void> {
  if (Date.now() - (searched.get(folder) ?? 0) < SEARCHED_MS) return;
  if (searched.size === MOST_FOLDERS) searched.clear();
  searched.set(folder, Date.now());
  await removeStale(folder);
}

/** What a path resolves to. */
type Target =
  | { readonly kind: 'descriptor'; readonly fd: number }
  | { readonly kind: 'stream'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly status: Stats | undefined };

/** Maximum length of a chain of links, as on Linux. */
const MOST_LINKS = 40;

/** An output that cannot be written; the message names it and the reason. */
export class UnwritableOutput extends Error {}

/** Whether an error was caused by an output, including a pipe whose reader has gone. */
export function isOfOutput(error: unknown): boolean {
  return error instanceof UnwritableOutput || (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}

/**
 * Writes `path` piece by piece. The previous file stays until the new one is complete, which gets its permissions; a link stays,
 * and its target is replaced; pipes and devices are written to directly. If `write` throws, an unfinished regular file is
 * removed.
 * @throws {UnwritableOutput} one line, if `path` is a directory, a socket or a block device, or if writing fails. For a pipe
 * whose reader has gone, the system's own error with the code EPIPE.
 */
export async function writeOutput(
  path: string,
  write: (append: (bytes: Uint8Array | string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const file = await inWords(path, async () => opened(await targetOf(path)));
  try {
    await write((bytes) =>
      inWords(path, () => file.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)),
    );
    await inWords(path, () => file.commit());
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** Writes `path` in one piece, like {@link writeOutput}. */
export function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  return writeOutput(path, (append) => append(bytes));
}

/**
 * Whether a path is, or would be, a regular file.
 * @throws {Error} one line, if it cannot be written to: a directory, or in a folder that does not exist or cannot be written to
 */
export function isRegularOutput(path: string): Promise<boolean> {
  return inWords(path, async () => {
    const target = await targetOf(path);
    if (target.kind !== 'file') return false;
    await access(dirname(target.path), constants.W_OK); // the file is replaced
    return true;
  });
}

/** Wraps errors of the system in a message that names the path. */
async function inWords<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') throw error;
    throw new UnwritableOutput(
      `cannot write "${path}": ${code === 'ENOENT' ? 'its folder does not exist' : reasonOf(error)}`,
    );
  }
}

/** Whether a path is one of the process's own open file descriptors, such as /dev/stdout. */
export function isDescriptor(path: string): boolean {
  return descriptorOf(path) !== undefined;
}

function descriptorOf(path: string): number | undefined {
  const named = ['/dev/stdin', '/dev/stdout', '/dev/stderr'].indexOf(path);
  if (named >= 0) return named;
  const match = /^\/(?:dev|proc\/(self|\d+))\/fd\/(\d+)$/.exec(path);
  const isOwn = match && [undefined, 'self', String(process.pid)].includes(match[1]);
  return isOwn ? Number(match[2]) : undefined;
}

async function targetOf(path: string): Promise<Target> {
  if (/(^|[/\\])\.{0,2}$/.test(path))
    throw new Error(path === '' ? 'the path is empty' : 'it is a directory');
  let at = resolve(path);
  for (let links = 0; links < MOST_LINKS; links++) {
    const fd = descriptorOf(at);
    if (fd !== undefined) return { kind: 'descriptor', fd };
    at = join(await realpath(dirname(at)), basename(at));
    const status = await lstat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!status?.isSymbolicLink()) return withStatus(at, status);
    at = resolve(dirname(at), await readlink(at));
  }
  throw new Error('too many links');
}

function withStatus(path: string, status: Stats | undefined): Target {
  if (!status || status.isFile()) return { kind: 'file', path, status };
  if (status.isFIFO() || status.isCharacterDevice()) return { kind: 'stream', path };
  if (status.isDirectory()) throw new Error('it is a directory');
  throw new Error(`it is a ${status.isSocket() ? 'socket' : 'disk'}`);
}

/** An output that is written piece by piece. */
interface OpenedFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Completes the file, which gets its final name. */
  commit(): Promise<void>;
  /** Removes an unfinished regular file. */
  abort(): Promise<void>;
}

async function opened(target: Target): Promise<OpenedFile> {
  const nothing = async () => {};
  if (target.kind === 'descriptor') {
    return { write: (bytes) => writeToDescriptor(target.fd, bytes), commit: nothing, abort: nothing };
  }
  if (target.kind === 'file') return replacement(target.path, target.status);
  const handle = await open(target.path, constants.O_WRONLY | (constants.O_NOCTTY ?? 0));
  const close = () => handle.close();
  return { write: (bytes) => handle.writeFile(bytes), commit: close, abort: close };
}

/** Replaces a file once it is complete. */
async function replacement(path: string, status: Stats | undefined): Promise<OpenedFile> {
  const folder = dirname(path);
  await removeStaleAtTimes(folder);
  const temporary = unfinishedPath(folder, basename(path));
  remember(temporary);
  let handle: FileHandle | undefined;
  const end = async () => {
    await handle?.close();
    handle = undefined;
  };
  const abort = async () => {
    await end().catch(() => {}); // it is removed
    await rm(temporary, { force: true });
    forget(temporary);
  };
  try {
    handle = await open(temporary, 'wx', status && status.mode & 0o777);
    if (status) {
      await handle.chown(status.uid, status.gid).catch(() => {}); // only root may change the owner
      await handle.chmod(status.mode & 0o777);
    }
  } catch (error) {
    await abort();
    throw error;
  }
  const file = handle;
  return {
    write: (bytes) => file.writeFile(bytes),
    commit: async () => {
      await syncFile(file);
      await end();
      await rename(temporary, path);
      await syncFolder(folder);
      forget(temporary);
    },
    abort,
  };
}

/** Writes through the process's own streams if they are pipes, which may be slower than the writer. */
async function writeToDescriptor(fd: number, bytes: Uint8Array): Promise<void> {
  const status = fstatSync(fd);
  const stream = [process.stdout, process.stderr].find((output) => output.fd === fd);
  if (stream && !status.isFile() && (stream.isTTY || !status.isCharacterDevice())) {
    await promisify((done: (error?: Error | null) => void) => stream.write(bytes, done))();
    return;
  }
  for (let done = 0; done < bytes.length; ) {
    done += (await promisify(write)(fd, bytes, done, bytes.length - done, null)).bytesWritten;
  }
}
