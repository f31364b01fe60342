/**
 * An output folder that is either complete or not there: files are written into a hidden folder beside it,
 * which takes the final name in one step. An abort, a process exit, SIGINT and SIGTERM leave nothing behind.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** The content of one file, in order. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface AtomicDirectory {
  /** Writes one new file. Throws `Error` for an unsafe name, a name already written, or a full disk. */
  write(name: string, chunks: Uint8Array | string | Chunks): Promise<void>;
  /** Gives the folder its final name. Throws `Error` when something else has appeared there meanwhile. */
  commit(): Promise<void>;
  /** Removes everything written. Does nothing after `commit` or a first `abort`. */
  abort(): Promise<void>;
}

/** Letters, digits, dot, dash, underscore; no separators, nothing hidden: the same file on every system. */
const SAFE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/**
 * Starts an output folder at `path`; missing parent folders are made.
 * Throws `Error`, one line, when `path` is a file or a folder that is not empty.
 */
export async function openAtomicDirectory(path: string): Promise<AtomicDirectory> {
  const target = resolve(path);
  await refuseUnlessFree(path);
  const parent = dirname(target);
  const temporary = join(parent, `.${basename(target)}.${randomBytes(6).toString('hex')}.partial`);
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(temporary);
  } catch (error) {
    throw new Error(`cannot write to ${path}: ${(error as Error).message}`);
  }
  unfinished.add(temporary);
  if (unfinished.size === 1) watchProcess();

  let open = true;
  const finish = () => {
    open = false;
    unfinished.delete(temporary);
    if (unfinished.size === 0) unwatchProcess();
  };
  const mustBeOpen = () => {
    if (!open) throw new Error(`${path}: already committed or aborted`);
  };

  return {
    async write(name, chunks) {
      mustBeOpen();
      if (!SAFE_NAME.test(name)) throw new Error(`${path}: unsafe file name ${JSON.stringify(name)}`);
      await writeFile(join(temporary, name), join(path, name), chunks);
    },
    async commit() {
      mustBeOpen();
      await refuseUnlessFree(path);
      // Renaming over an empty folder works on POSIX systems only.
      await rmdir(target).catch(() => {});
      await rename(temporary, target).catch((error: Error) => {
        throw new Error(`cannot write to ${path}: ${error.message}`);
      });
      finish();
    },
    async abort() {
      if (!open) return;
      await rm(temporary, { recursive: true, force: true });
      finish();
    },
  };
}

async function refuseUnlessFree(path: string): Promise<void> {
  const entries = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new Error(
      `cannot write to ${path}: ${error.code === 'ENOTDIR' ? 'it is not a directory' : error.message}`,
    );
  });
  if (entries.length > 0) throw new Error(`cannot write to ${path}: the directory exists and is not empty`);
}

async function writeFile(file: string, name: string, chunks: Uint8Array | string | Chunks): Promise<void> {
  const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `cannot write ${name}: ${error.code === 'EEXIST' ? 'it is already written' : error.message}`,
    );
  });
  try {
    const whole = typeof chunks === 'string' || chunks instanceof Uint8Array;
    for await (const chunk of whole ? [chunks] : chunks) await handle.appendFile(chunk);
  } finally {
    await handle.close();
  }
}

/** Temporary folders of this process that are neither committed nor aborted. */
const unfinished = new Set<string>();

function removeUnfinished(): void {
  for (const folder of unfinished) rmSync(folder, { recursive: true, force: true });
}

function onSignal(signal: NodeJS.Signals): void {
  removeUnfinished();
  unwatchProcess();
  // A listener takes away the signal's usual effect; give it back unless the program has its own listener.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function watchProcess(): void {
  process.on('exit', removeUnfinished);
  // First in line: listeners that end the process only when no other is left (signal-exit) then do so.
  process.prependListener('SIGINT', onSignal);
  process.prependListener('SIGTERM', onSignal);
}

function unwatchProcess(): void {
  process.off('exit', removeUnfinished);
  process.off('SIGINT', onSignal);
  process.off('SIGTERM', onSignal);
}
