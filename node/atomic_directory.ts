/**
 * An output folder that is either complete or absent: files are written to a hidden folder beside it, which is then renamed in
 * one step. If the folder already exists, the hidden folder is inside it, and its files are moved out at the end, in the order in
 * which they were written: the folder keeps its identity, owner and permissions, even if it is the root of a volume or the
 * current directory of a shell. An abort, a process exit, SIGINT, SIGTERM and SIGHUP leave nothing behind.
 */
import { lstat, mkdir, open, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { reasonOf } from './system_error.js';
import {
  forget,
  isUnfinished,
  remember,
  removeStale,
  removeUnfinished,
  syncFile,
  syncFolder,
  unfinishedPath,
} from './unfinished.js';

/** The content of one file, in order. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface AtomicDirectory {
  /** Writes one new file. Throws `Error` for an unsafe name, a name already written, or a full disk. */
  write(name: string, chunks: Uint8Array | string | Chunks): Promise<void>;
  /** Gives the folder its final name. Throws `Error` if something else has appeared there in the meantime. */
  commit(): Promise<void>;
  /** Removes everything written, and parent folders created for it. Has no effect after `commit` or an earlier `abort`. */
  abort(): Promise<void>;
}

export interface AtomicDirectoryOptions {
  /**
   * Allows a folder that is not empty: files with the same names are replaced, these are removed, and all others are kept. By
   * default the folder must be empty.
   */
  readonly replace?: readonly string[];
}

/** Letters, digits, dot, dash, underscore; no separators, no hidden files: the name means the same file on every system. */
const SAFE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/**
 * Starts an output folder at `path`; missing parent folders are created, and a link is followed. Throws a one-line `Error` if
 * `path` is a file, a folder that is not empty, or not writable.
 */
export async function openAtomicDirectory(
  path: string,
  { replace }: AtomicDirectoryOptions = {},
): Promise<AtomicDirectory> {
  const cannotWrite = (reason: string) => new Error(`cannot write to "${path}": ${reason}`);
  const checkFree = async (folder: string) => {
    if (replace || (await readdir(folder)).every(isUnfinished)) return;
    throw cannotWrite('the directory exists and is not empty');
  };
  /** Whether the folder exists. */
  const check = async (folder: string): Promise<boolean> => {
    const status = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error.code === 'ENOTDIR' ? cannotWrite('it is not a directory') : cannotWrite(reasonOf(error));
    });
    if (status && !status.isDirectory()) throw cannotWrite('it is not a directory');
    if (status) await checkFree(folder);
    return status !== undefined;
  };

  if (path === '') throw cannotWrite('the path is empty');
  const target = await throughLinks(resolve(path)).catch((error) => {
    throw cannotWrite(reasonOf(error));
  });
  const exists = await check(target);
  const home = exists ? target : dirname(target);
  const temporary = unfinishedPath(home, exists ? 'output' : basename(target));
  try {
    const made = await mkdir(home, { recursive: true });
    await removeStale(home);
    remember(temporary, made);
    await mkdir(temporary);
  } catch (error) {
    removeUnfinished(temporary);
    forget(temporary);
    throw cannotWrite(reasonOf(error));
  }

  const written: string[] = [];
  let isOpen = true;
  const mustBeOpen = () => {
    if (!isOpen) throw new Error(`${path}: already committed or aborted`);
  };
  const finish = () => {
    isOpen = false;
    forget(temporary);
  };

  return {
    async write(name, chunks) {
      mustBeOpen();
      if (!SAFE_NAME.test(name)) throw new Error(`${path}: unsafe file name ${JSON.stringify(name)}`);
      await writeFile(join(temporary, name), join(path, name), chunks);
      written.push(name);
    },
    async commit() {
      mustBeOpen();
      await check(target);
      await syncFolder(temporary);
      try {
        if (exists) await moveInto(target, temporary, written, replace);
        else await rename(temporary, target);
      } catch (error) {
        throw cannotWrite(reasonOf(error));
      }
      await syncFolder(home);
      finish();
    },
    async abort() {
      if (!isOpen) return;
      removeUnfinished(temporary);
      finish();
    },
  };
}

/**
 * Writes such a folder, and commits it if `write` succeeds.
 * @returns the result of `write`. Throws as {@link openAtomicDirectory}, and what `write` throws.
 */
export async function writeFolderAtomically<T>(
  path: string,
  write: (folder: AtomicDirectory) => Promise<T>,
  options?: AtomicDirectoryOptions,
): Promise<T> {
  const folder = await openAtomicDirectory(path, options);
  try {
    const result = await write(folder);
    await folder.commit();
    return result;
  } finally {
    await folder.abort();
  }
}

/** Resolves links, including one to a folder that does not exist yet. */
async function throughLinks(path: string): Promise<string> {
  let at = path;
  for (let links = 0; links < 40; links++) {
    const status = await lstat(at).catch(() => undefined);
    if (!status?.isSymbolicLink()) return at;
    at = resolve(dirname(at), await readlink(at));
  }
  throw new Error('too many links');
}

/** Moves the files into the folder. A failure in between leaves some of the files there, but never the last ones. */
async function moveInto(
  target: string,
  temporary: string,
  names: readonly string[],
  replace: readonly string[] = [],
): Promise<void> {
  for (const name of [...names, ...replace]) {
    const status = await lstat(join(target, name)).catch(() => undefined);
    if (status && !status.isFile()) throw new Error(`${name} in it is not a regular file`);
  }
  for (const name of replace) await rm(join(target, name), { force: true });
  for (const name of names) await rename(join(temporary, name), join(target, name));
  await rm(temporary, { recursive: true, force: true });
}

async function writeFile(file: string, name: string, chunks: Uint8Array | string | Chunks): Promise<void> {
  const fail = (error: NodeJS.ErrnoException) => {
    throw new Error(
      `cannot write "${name}": ${error.code === 'EEXIST' ? 'it is already written' : reasonOf(error)}`,
    );
  };
  const handle = await open(file, 'wx').catch(fail);
  try {
    const whole = typeof chunks === 'string' || chunks instanceof Uint8Array;
    for await (const chunk of whole ? [chunks] : chunks) await handle.appendFile(chunk).catch(fail);
    await syncFile(handle).catch(fail);
  } finally {
    await handle.close();
  }
}
