/**
 * Output files. A regular file is either complete or as it was before: it is written beside its final name, then
 * renamed. What is no regular file (a pipe, a device such as /dev/null, standard output) is written into.
 */
import { constants, fstatSync, type Stats, write } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from './system_error.js';
import { forget, remember, removeStale, syncFile, syncFolder, unfinishedPath } from './unfinished.js';

/** What a path leads to. */
type Target =
  | { readonly kind: 'descriptor'; readonly fd: number }
  | { readonly kind: 'stream'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly status: Stats | undefined };

/** Links that lead to links: as many as Linux follows. */
const MOST_LINKS = 40;

/**
 * Writes `path`. What was there before stays until the new file is complete, and gives the new one its permissions; a
 * link stays, and what it leads to is replaced; pipes and devices are written into.
 * @throws {Error} one line, for a directory, a socket or a disk as `path` and when writing fails. Of a pipe whose
 *     reader has gone, the system's own error with the code EPIPE.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const target = await targetOf(path);
    if (target.kind === 'descriptor') await writeToDescriptor(target.fd, bytes);
    else if (target.kind === 'stream') await writeInto(target.path, bytes);
    else await replace(target.path, target.status, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') throw error;
    throw new Error(
      `cannot write ${path}: ${code === 'ENOENT' ? 'its folder does not exist' : reasonOf(error)}`,
    );
  }
}

/** Whether a path is one of the process's own open files, such as /dev/stdout. */
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

async function replace(path: string, status: Stats | undefined, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await removeStale(folder);
  const temporary = unfinishedPath(folder, basename(path));
  remember(temporary);
  try {
    const handle = await open(temporary, 'wx', status && status.mode & 0o777);
    try {
      if (status) await keepPermissions(handle, status);
      await handle.writeFile(bytes);
      await syncFile(handle);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    forget(temporary);
  }
}

/** Gives a new file or folder the owner and the permissions of the one that it replaces. */
async function keepPermissions(handle: FileHandle, { mode, uid, gid }: Stats): Promise<void> {
  await handle.chown(uid, gid).catch(() => {}); // only root may give files away
  await handle.chmod(mode & 0o777);
}

async function writeInto(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | (constants.O_NOCTTY ?? 0));
  try {
    await handle.writeFile(bytes);
  } finally {
    await handle.close();
  }
}

/** Through the process's own streams where they are pipes, which may be slower than the writer. */
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
