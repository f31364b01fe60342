/** The number of threads that run our kernels, and how work is split into parts for them. */
import { env } from '@tensorflow/tfjs-core';
import type { Heap } from './heap.js';
import type { Exports, KernelModules } from './instantiate.js';
import { ThreadLost, ThreadPool } from './thread_pool.js';
import { MOST_PARTS, type NativeFunction } from './thread_queue.js';

/** Limit of `auto`, which uses no more threads than there are processors. */
const AUTO_AT_MOST = 8;
const AT_MOST = 64;

/** Threads that currently run our kernels. */
export interface ThreadsInfo {
  /** Including the caller. */
  readonly count: number;
  /** Why there is only one. */
  readonly reason?: string;
}

export interface ThreadsOptions {
  /**
   * URL of this package's `thread_script.js` (beside its .wasm files), for pages whose policy only allows scripts from
   * files. By default the script is part of the JavaScript and becomes a blob.
   */
  readonly script?: string | URL;
}

let asked: { readonly count: number | 'auto' } & ThreadsOptions = { count: 'auto' };
/** Threads of the backends that are in use. */
const teams = new Set<Threads>();

/**
 * Sets how many threads run the kernels of this entry point: the caller and workers, in cross-origin isolated pages and
 * workers; elsewhere there is one, and {@link getThreads} says why. Results are the same, bit for bit, for every number.
 * tfjs's own kernels keep using tfjs's own threads.
 *
 * @param count 1 to 64, or `auto` (the initial setting): as many as there are processors, at most 8.
 * @returns a promise that resolves when the threads have started and previous ones have ended.
 * @throws {Error} for another number, and if a thread that should be available does not start; one thread is then used.
 */
export async function setThreads(count: number | 'auto', options: ThreadsOptions = {}): Promise<void> {
  if (count !== 'auto' && !(Number.isInteger(count) && count >= 1 && count <= AT_MOST)) {
    throw new Error(`setThreads: got ${String(count)}, expected 1 to ${AT_MOST} or 'auto'`);
  }
  asked = { count, ...options };
  await Promise.all([...teams].map((team) => team.change()));
}

/** Returns the number of threads that run the kernels of this entry point. */
export function getThreads(): ThreadsInfo {
  return [...teams].at(-1)?.info() ?? { count: 1, reason: "tfjs's backend wasm has not started" };
}

/** A split of work into parts. It depends only on the work, so that results do not depend on the number of threads. */
export interface Parts {
  /** Number of rows, columns or images that are divided. */
  readonly total: number;
  /** Of a part; the last one may be smaller. */
  readonly size: number;
  readonly count: number;
  /** How many may run concurrently: those that run one after another can share scratch memory. */
  readonly slots: number;
  /** Whether each part needs a call of its own even on a single thread. */
  readonly isApart?: boolean;
}

/** Minimum work of a part. An awake thread takes one in about a microsecond. */
const PART_NANOSECONDS = 20_000;

/** Flag of tfjs for another minimum. Below the default a single thread runs the parts one after another too, for tests. */
export const PART_FLAG = 'GROOTVL_WASM_PART_NANOSECONDS';
env().registerFlag(PART_FLAG, () => PART_NANOSECONDS);

/**
 * @param nanoseconds approximate time of one of `total`; 0: they are not split.
 * @param multiple divides the size of a part.
 * @param slots maximum of concurrent parts, if each needs much scratch memory.
 */
export function partsOf(total: number, nanoseconds: number, multiple = 1, slots = MOST_PARTS): Parts {
  const least = Math.max(total / MOST_PARTS, env().getNumber(PART_FLAG) / nanoseconds);
  const size = Math.min(Math.max(total, 1), Math.ceil(least / multiple) * multiple);
  const count = Math.ceil(total / size);
  return { total, size, count, slots: Math.min(count, slots) };
}

/** Limit for parts that need much scratch memory, such as images. */
export const MAX_SLOTS = 8;

/**
 * Makes one part per item, such as an image.
 * @param nanoseconds approximate time of one item
 */
export function itemsOf(total: number, nanoseconds: number): Parts {
  const isLittle = total * nanoseconds < env().getNumber(PART_FLAG);
  const slots = isLittle ? 1 : Math.min(total, MAX_SLOTS);
  return { total, size: 1, count: total, slots, isApart: true };
}

export type ArgumentsOf = (first: number, count: number, slot: number) => readonly number[];

/** The arguments of several calls of a function. */
export type Calls = readonly (readonly number[])[];

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
    // `auto` was not requested explicitly, so a failure is only a warning.
    this.change().catch((error: Error) => console.warn(`${error.message}; kernels run on one thread`));
  }

  /** Number of threads, including the caller. */
  get size(): number {
    return this.pool ? this.count : 1;
  }

  info(): ThreadsInfo {
    return this.pool ? { count: this.count } : { count: 1, reason: this.reason };
  }

  /** Resolves when the requested changes have been made. */
  settled(): Promise<void> {
    return this.changes.catch(() => {});
  }

  /**
   * Starts or ends threads as requested.
   * @throws {Error} if one does not start.
   */
  change(): Promise<void> {
    this.changes = this.changes.catch(() => {}).then(() => this.changeNow());
    return this.changes;
  }

  private async changeNow(): Promise<void> {
    const { pool } = this;
    this.pool = undefined; // calls in the meantime run on one thread
    this.count = 1;
    await pool?.end();
    if (this.isOver) return;
    const count = asked.count === 'auto' ? Math.min(processors(), AUTO_AT_MOST) : asked.count;
    this.reason = reasonForOne(count, this.heap);
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
   * Calls a function for each part, with arguments for `count` items from `first` on; parts that run concurrently have
   * different values of `slot`, below `slots`.
   */
  run(name: string, parts: Parts, argumentsOf: ArgumentsOf): void {
    this.runCalls(name, parts.slots, this.callsOf(parts, argumentsOf));
  }

  /** Returns the arguments of the calls that `run` makes: one per part, or one for all where that gives the same. */
  callsOf({ total, size, count, slots, isApart }: Parts, argumentsOf: ArgumentsOf): Calls {
    // Thousands of short calls took 4 % of a prediction.
    const isWhole =
      !this.isShared(slots) && count > 1 && !isApart && env().getNumber(PART_FLAG) >= PART_NANOSECONDS;
    if (isWhole) return [argumentsOf(0, total, 0)];
    return Array.from({ length: count }, (_, part) => {
      const first = part * size;
      return argumentsOf(first, Math.min(size, total - first), part % slots);
    });
  }

  /** Calls a function with each of the given arguments, `slots` of them concurrently. */
  runCalls(name: string, slots: number, calls: Calls): void {
    const { pool } = this;
    if (!pool || !this.isShared(slots)) {
      const call = this.exports[name] as NativeFunction;
      for (const args of calls) call(...args);
      return;
    }
    try {
      for (let from = 0; from < calls.length; from += slots) {
        pool.run(name, Math.min(slots, calls.length - from), (part) => calls[from + part]);
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

  private isShared(slots: number): boolean {
    return this.pool !== undefined && slots > 1;
  }

  /** Ends with the backend, whose memory is freed. */
  end(): void {
    this.isOver = true;
    teams.delete(this);
    this.change().catch(() => {});
  }
}

/** Why only one thread is possible; undefined if `count` are. */
function reasonForOne(count: number, heap: Heap): string | undefined {
  if (asked.count === 1) return 'setThreads(1)';
  // Where memory is not shared, such as in Node, the number of processors may not be known.
  return whyNotShared(heap) ?? (count === 1 ? 'there is one processor' : undefined);
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
