/**
 * Outputs that are being written, under hidden names beside their final ones. They are removed when the process ends
 * early, by an exit or by SIGINT, SIGTERM or SIGHUP; what SIGKILL leaves, a later output in the same folder removes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { fsync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** `.NAME.OWNER-PID-RANDOM.partial`. */
const UNFINISHED = /^\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial$/;
/** As versions before named them, without a process. */
const UNOWNED = /^\..+\.[0-9a-f]{12}\.partial$/;
/** Of a process that cannot be asked for, on another machine or in another container, nothing is kept longer. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/**
 * Within one owner a process number means one process: a machine since its start, and there a container (its numbers
 * are its own, and its host name may be another's).
 */
const OWNER = createHash('sha256')
  .update([hostname(), textOf('/proc/sys/kernel/random/boot_id'), linkOf('/proc/self/ns/pid')].join('\n'))
  .digest('hex')
  .slice(0, 8);

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** A new hidden path in `folder` for what will be called `name`. */
export function unfinishedPath(folder: string, name: string): string {
  const random = randomBytes(4).toString('hex');
  // A name may have 255 bytes; 40 characters have 160 at most.
  return join(folder, `.${name.slice(0, 40)}.${OWNER}-${process.pid}-${random}.partial`);
}

/** Whether this is the name of an unfinished output, of any process. */
export function isUnfinished(name: string): boolean {
  return UNFINISHED.test(name) || UNOWNED.test(name);
}

/** Removes what processes that have ended left in a folder. What cannot be removed stays. */
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
  // One that has ended and that nobody has waited for still has its number.
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/\) Z [^)]*$/.test(status);
}

/** When a file, or anything in a folder, was changed last. Milliseconds since 1970; now where that is unknown. */
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
 * Makes what was written last through a loss of power. By the descriptor: with Yarn's Plug'n'Play a FileHandle has no
 * `sync` of its own ("Method not implemented").
 */
export async function syncFile({ fd }: FileHandle): Promise<void> {
  await promisify(fsync)(fd);
}

/** Makes renames within a folder last through a loss of power, where the system can do so. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (handle) await syncFile(handle).catch(() => {});
  await handle?.close();
}

/** Unfinished outputs of this process, and for each the topmost folder that was made for it. */
const unfinished = new Map<string, string | undefined>();

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Has an output removed when the process ends before `forget`.
 * @param made the topmost of the folders above it that were made for it, which go too unless something else is in them.
 */
export function remember(path: string, made?: string): void {
  if (unfinished.size === 0) {
    process.on('exit', removeAll);
    // First in line: listeners that end the process only when no other is left (signal-exit) then do so.
    for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  }
  unfinished.set(path, made);
}

/** The output is finished, or removed. */
export function forget(path: string): void {
  if (unfinished.delete(path) && unfinished.size === 0) unwatch();
}

/** Removes an unfinished output, and the folders that were made for it. */
export function removeUnfinished(path: string): void {
  rmSync(path, { recursive: true, force: true });
  const made = unfinished.get(path);
  if (made === undefined) return;
  try {
    for (let folder = dirname(path); folder.startsWith(made); folder = dirname(folder)) rmdirSync(folder);
  } catch {
    // Something else is in it by now.
  }
}

function removeAll(): void {
  for (const path of unfinished.keys()) removeUnfinished(path);
}

function onSignal(signal: NodeJS.Signals): void {
  removeAll();
  unwatch();
  // A listener takes away the signal's usual effect; give it back unless the program has its own listener.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function unwatch(): void {
  process.off('exit', removeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
