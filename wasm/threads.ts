/** How many threads run our kernels, and how work is cut into parts for them. */
import { env } from '@tensorflow/tfjs-core';
import type { Heap } from './heap.js';
import type { Exports, KernelModules } from './instantiate.js';
import { ThreadLost, ThreadPool } from './thread_pool.js';
import { MOST_PARTS, type NativeFunction } from './thread_queue.js';

/** Of `auto`, which takes no more than there are processors. */
const AUTO_AT_MOST = 8;
const AT_MOST = 64;

/** Threads that run our kernels now. */
export interface ThreadsInfo {
  /** The caller is one of them. */
  readonly count: number;
  /** Why there is no other, where there is none. */
  readonly reason?: string;
}

export interface ThreadsOptions {
  /**
   * URL of `thread_script.js` of this package (beside its .wasm files), for pages that take scripts from files alone. By
   * default the script comes with the JavaScript and becomes a blob.
   */
  readonly script?: string | URL;
}

let asked: { readonly count: number | 'auto' } & ThreadsOptions = { count: 'auto' };
/** Of backends that are in use. */
const teams = new Set<Threads>();

/**
 * Sets how many threads run the kernels of this entry point: the caller and workers, in cross-origin isolated pages and
 * workers; elsewhere there is one, and {@link getThreads} says why. Results have the same bits for every number. tfjs's
 * own kernels keep tfjs's own threads.
 *
 * @param count 1 to 64, or `auto` (what it is before this is called): as many as there are processors, 8 at most.
 * @returns a promise of when threads have started and those before have ended.
 * @throws {Error} for another number, and when a thread that can be had does not start; then there is one
 */
export async function setThreads(count: number | 'auto', options: ThreadsOptions = {}): Promise<void> {
  if (count !== 'auto' && !(Number.isInteger(count) && count >= 1 && count <= AT_MOST)) {
    throw new Error(`setThreads: got ${String(count)}, expected 1 to ${AT_MOST} or 'auto'`);
  }
  asked = { count, ...options };
  await Promise.all([...teams].map((team) => team.change()));
}

/** How many threads run the kernels of this entry point. */
export function getThreads(): ThreadsInfo {
  return [...teams].at(-1)?.info() ?? { count: 1, reason: "tfjs's backend wasm has not started" };
}

/** Work in parts. How many depends on the work alone, so that results do not depend on the number of threads. */
export interface Parts {
  /** Rows, columns, images: whatever is shared out. */
  readonly total: number;
  /** Of a part; the last one may have fewer. */
  readonly size: number;
  readonly count: number;
  /** How many may run at the same time: those in turn can have the same scratch memory. */
  readonly together: number;
}

/** Flag of tfjs: work that is worth a part. A thread that is awake takes one in about a microsecond. Tests make it small. */
export const PART_FLAG = 'GROOTVL_WASM_PART_NANOSECONDS';
env().registerFlag(PART_FLAG, () => 20_000);

/**
 * @param nanoseconds about what one of `total` takes; 0: they are not split.
 * @param multiple of which the size of a part is one.
 * @param together at most, where each needs much scratch memory.
 */
export function partsOf(total: number, nanoseconds: number, multiple = 1, together = MOST_PARTS): Parts {
  const least = Math.max(total / MOST_PARTS, env().getNumber(PART_FLAG) / nanoseconds);
  const size = Math.min(Math.max(total, 1), Math.ceil(least / multiple) * multiple);
  const count = Math.ceil(total / size);
  return { total, size, count, together: Math.min(count, together) };
}

/** Parts that need much scratch memory, such as images, so that of few is enough. */
export const FEW_TOGETHER = 8;

/** A part for each item, such as an image. @param nanoseconds about what one takes */
export function itemsOf(total: number, nanoseconds: number): Parts {
  const isLittle = total * nanoseconds < env().getNumber(PART_FLAG);
  return { total, size: 1, count: total, together: isLittle ? 1 : Math.min(total, FEW_TOGETHER) };
}

/** The threads of a backend. */
export class Threads {
  private pool: ThreadPool | undefined;
  private count = 1;
  private reason: string | undefined;
  private changes: Promise<void> = Promise.resolve();
  private isOver = false;

  constructor(
    private readonly heap: Heap,
    private readonly exports: Exports,
    private readonly modules: KernelModules,
  ) {
    teams.add(this);
    // With `auto` nobody has asked: it works without.
    this.change().catch((error: Error) => console.warn(`${error.message}; kernels run on one thread`));
  }

  /** How many there are, the caller among them. */
  get size(): number {
    return this.pool ? this.count : 1;
  }

  info(): ThreadsInfo {
    return this.pool ? { count: this.count } : { count: 1, reason: this.reason };
  }

  /** Resolves when the changes that were asked for are made. */
  settled(): Promise<void> {
    return this.changes.catch(() => {});
  }

  /** Makes the threads those that are asked for. @throws {Error} when one does not start */
  change(): Promise<void> {
    this.changes = this.changes.catch(() => {}).then(() => this.changeNow());
    return this.changes;
  }

  private async changeNow(): Promise<void> {
    const { pool } = this;
    this.pool = undefined; // calls meanwhile run on one
    this.count = 1;
    await pool?.end();
    if (this.isOver) return;
    const count = asked.count === 'auto' ? Math.min(processors(), AUTO_AT_MOST) : asked.count;
    this.reason = count === 1 ? reasonForOne() : whyNotShared(this.heap);
    if (this.reason) return;
    try {
      const { heap, modules, exports } = this;
      const started = await ThreadPool.start({
        heap,
        modules,
        exports,
        threads: count - 1,
        script: asked.script,
      });
      this.pool = started;
      this.count = count;
    } catch (error) {
      this.reason = (error as Error).message;
      throw error;
    }
  }

  /**
   * Calls a function for each part, with arguments for `count` items from `first` on; parts that run at the same time have
   * different numbers `slot`, below `together`.
   */
  run(
    name: string,
    { total, size, count, together }: Parts,
    argumentsOf: (first: number, count: number, slot: number) => readonly number[],
  ): void {
    const argumentsOfPart = (part: number) => {
      const first = part * size;
      return argumentsOf(first, Math.min(size, total - first), part % together);
    };
    if (!this.pool || together === 1) {
      for (let part = 0; part < count; part++)
        (this.exports[name] as NativeFunction)(...argumentsOfPart(part));
      return;
    }
    try {
      for (let from = 0; from < count; from += together) {
        this.pool.run(name, Math.min(together, count - from), (part) => argumentsOfPart(from + part));
      }
    } catch (error) {
      if (error instanceof ThreadLost) {
        this.pool = undefined;
        this.count = 1;
        this.reason = error.message;
      }
      throw error;
    }
  }

  /** With the backend, whose memory goes. */
  end(): void {
    this.isOver = true;
    teams.delete(this);
    this.change().catch(() => {});
  }
}

function reasonForOne(): string {
  return asked.count === 1 ? 'setThreads(1)' : 'there is one processor';
}

function processors(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}

function whyNotShared({ memory, inPlace }: Heap): string | undefined {
  if (!inPlace) return "tfjs's memory cannot be reached: tensors are copied";
  if (typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer)
    return undefined;
  if (typeof process !== 'undefined' && process.versions?.node) {
    return "in Node tfjs's memory is not shared with threads";
  }
  return globalThis.crossOriginIsolated
    ? "tfjs's build without threads is in use (its flag WASM_HAS_MULTITHREAD_SUPPORT)"
    : 'the page is not cross-origin isolated (headers Cross-Origin-Opener-Policy and -Embedder-Policy)';
}
