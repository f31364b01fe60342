/**
 * Unfinished outputs, under hidden names beside their final ones. They are removed when the process ends early, by an exit or by
 * SIGINT, SIGTERM or SIGHUP; what SIGKILL leaves is removed by a later output to the same folder.
 */
import { createHash, randomBytes } from 'node:crypto';
import { fsync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** `.NAME.OWNER-PID-RANDOM.partial`. */
const UNFINISHED = /^\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial$/;
/** Names in earlier versions, without a process. */
const UNOWNED = /^\..+\.[0-9a-f]{12}\.partial$/;
/** Maximum age of files of a process whose state is unknown, as it runs on another machine or in another container. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/**
 * Within one owner a process id identifies a process: a machine since it booted, and on it a container (which has its own process
 * ids, and may share its host name with others).
 */
const OWNER = createHash('sha256')
  .update(
    [
      hostname(),
      orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
      orEmpty(() => readlinkSync('/proc/self/ns/pid')),
    ].join('\n'),
  )
  .digest('hex')
  .slice(0, 8);

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** A new hidden path in `folder` for the file or folder `name`. */
export function unfinishedPath(folder: string, name: string): string {
  const random = randomBytes(4).toString('hex');
  // A name may have 255 bytes; 40 characters take at most 160.
  return join(folder, `.${name.slice(0, 40)}.${OWNER}-${process.pid}-${random}.partial`);
}

/** Whether this is the name of an unfinished output, of any process. */
export function isUnfinished(name: string): boolean {
  return UNFINISHED.test(name) || UNOWNED.test(name);
}

/** Removes files left in a folder by processes that have ended. What cannot be removed is left. */
export async function removeStale(folder: string): Promise<void> {
  for (const name of (await readdir(folder).catch(() => [])).filter(isUnfinished)) {
    const path = join(folder, name);
    const [, owner, pid] = UNFINISHED.exec(name) ?? [];
    const isStale =
      owner === OWNER ? !(await isRunning(Number(pid))) : Date.now() - (await lastChange(path)) > KEPT_MS;
    if (isStale) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // A zombie process, which has ended but not been waited for, keeps its process id.
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/\) Z [^)]*$/.test(status);
}

/** The latest modification of a file, or of anything in a folder, in milliseconds since 1970; the current time if unknown. */
async function lastChange(path: string): Promise<number> {
  const inside = await readdir(path).catch(() => []);
  const times = await Promise.all(
    [path, ...inside.map((name) => join(path, name))].map(
      async (each) => (await stat(each).catch(() => undefined))?.mtimeMs ?? Date.now(),
    ),
  );
  return Math.max(...times);
}

/**
 * Ensures that the last write survives a loss of power. By the descriptor: with Yarn's Plug'n'Play a FileHandle has no `sync` of
 * its own ("Method not implemented").
 */
export async function syncFile({ fd }: FileHandle): Promise<void> {
  await promisify(fsync)(fd);
}

/** Ensures that renames in a folder survive a loss of power, if the system supports it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (handle) await syncFile(handle).catch(() => {});
  await handle?.close();
}

/** Unfinished outputs of this process, each with the topmost folder that was created for it. */
const unfinished = new Map<string, string | undefined>();

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Removes an output if the process ends before `forget` is called for it.
 * @param made the topmost parent folder created for it, which is removed too unless it contains something else
 */
export function remember(path: string, made?: string): void {
  if (unfinished.size === 0) {
    process.on('exit', removeAll);
    // Prepended: listeners that end the process only if they are the last ones (signal-exit) then still do so.
    for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  }
  unfinished.set(path, made);
}

/** The output is finished or removed. */
export function forget(path: string): void {
  if (unfinished.delete(path) && unfinished.size === 0) unwatch();
}

/** Removes an unfinished output, and the folders created for it. */
export function removeUnfinished(path: string): void {
  // Retried if a file is created in it at the same time, by a write in progress.
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  const made = unfinished.get(path);
  if (made === undefined) return;
  try {
    for (let folder = dirname(path); folder.startsWith(made); folder = dirname(folder)) rmdirSync(folder);
  } catch {
    // It contains something else by now.
  }
}

function removeAll(): void {
  for (const path of unfinished.keys()) removeUnfinished(path);
}

function onSignal(signal: NodeJS.Signals): void {
  removeAll();
  unwatch();
  // A listener disables the signal's default action; restore it unless the program has its own listener.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function unwatch(): void {
  process.off('exit', removeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
