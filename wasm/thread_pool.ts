/** Threads that run parts of our kernels beside their caller: workers with instances of our modules on the same memory. */
import { EMBEDDED } from './embedded.js';
import type { Heap } from './heap.js';
import { type Exports, instanceBytes, type KernelModules } from './instantiate.js';
import type { ThreadMessage, ThreadStart } from './thread.js';
import { type NativeFunction, QUEUE_BYTES, ThreadQueue } from './thread_queue.js';

const SCRIPT = 'thread_script.js';
const PACKAGE = 'tfjs-grootvl/wasm';

/** Limit for starting and for ending, and for a part, the longest of which take milliseconds. */
const LIMIT_MS = 10_000;

/** A thread was lost in the middle of a part. The memory it works on must not be freed, because it may still be running. */
export class ThreadLost extends Error {}

/** A worker of a page or of Node. */
interface Thread {
  start(message: ThreadStart): void;
  onMessage?: (message: ThreadMessage) => void;
  onError?: (reason: string) => void;
  /** Whether it keeps a Node process alive. */
  hold(isHeld: boolean): void;
  terminate(): void;
}

export interface PoolOptions {
  readonly heap: Heap;
  readonly modules: KernelModules;
  /** Exports of the caller's instance, with the same functions. */
  readonly exports: Exports;
  /** In addition to the caller. */
  readonly threads: number;
  /** URL of the script of a thread; by default a blob of the script in this package's JavaScript. */
  readonly script?: string | URL;
  /** Milliseconds without progress after which a thread counts as lost. */
  readonly limit?: number;
}

export class ThreadPool {
  /** @throws {Error} if a thread cannot start; all are then ended. */
  static async start(options: PoolOptions): Promise<ThreadPool> {
    const pool = new ThreadPool(options);
    try {
      await Promise.all(pool.members.map((member) => member.started));
    } catch (error) {
      await pool.end();
      throw error;
    }
    return pool;
  }

  private readonly address: number;
  private readonly queue: ThreadQueue;
  private readonly members: Member[] = [];
  private readonly indices: ReadonlyMap<string, number>;
  private readonly canSleep: boolean;

  private constructor(private readonly options: PoolOptions) {
    const { heap, modules, exports, threads, script } = options;
    this.indices = new Map(Object.keys(exports).map((name, i) => [name, i]));
    this.address = heap.allocate(QUEUE_BYTES);
    this.queue = new ThreadQueue(heap.memory, this.address);
    this.queue.clear();
    this.canSleep = this.queue.canSleep();
    for (let i = 0; i < threads; i++) {
      const block = heap.allocate(instanceBytes(modules));
      const start = { modules, memory: heap.memory, queue: this.address, block };
      this.members.push(new Member(start, script));
    }
  }

  /**
   * Calls a function for each part, on all threads. It does not matter whether threads are awake: the caller runs the parts
   * that they do not take.
   * @throws {Error} the error of the first part that failed, after all parts have ended.
   * @throws {ThreadLost} if a thread was lost in the middle of a part; the pool can then no longer be used.
   */
  run(name: string, parts: number, argumentsOf: (part: number) => readonly number[]): void {
    const { queue, options } = this;
    queue.offer(this.indices.get(name) as number, parts, argumentsOf);
    queue.takeParts(Object.values(options.exports) as NativeFunction[]);
    if (!queue.waitForAll(this.canSleep, options.limit ?? LIMIT_MS)) {
      for (const { thread } of this.members) thread.terminate();
      throw new ThreadLost(
        `${PACKAGE}: a thread has not ended its part of ${name} within ${(options.limit ?? LIMIT_MS) / 1000} s; from now on there is one thread`,
      );
    }
    const failure = queue.failure();
    if (failure !== undefined) throw new Error(`${PACKAGE}: ${name}: ${failure}`);
  }

  /** Ends the threads and frees their memory, except that of threads that do not confirm their end. */
  async end(): Promise<void> {
    const { heap } = this.options;
    this.queue.end();
    const ended = await Promise.all(this.members.map((member) => member.end()));
    this.members.forEach(({ block }, i) => {
      if (ended[i]) heap.free(block);
    });
    if (ended.every(Boolean)) heap.free(this.address);
  }
}

/** A thread and the messages received from it. */
class Member {
  readonly thread: Thread;
  readonly block: number;
  readonly started: Promise<void>;
  private readonly ended: Promise<boolean>;

  constructor(start: ThreadStart, script: string | URL | undefined) {
    this.block = start.block;
    const isNode = typeof process !== 'undefined' && process.versions?.node !== undefined;
    const thread = typeof Worker === 'undefined' || isNode ? nodeThread(script) : pageThread(script);
    this.thread = thread;
    let sayEnded: (hasEnded: boolean) => void;
    this.ended = new Promise((resolve) => {
      sayEnded = resolve;
    });
    this.started = new Promise<void>((resolve, reject) => {
      const fail = (reason: string) => {
        sayEnded(true);
        reject(new Error(`${PACKAGE}: a thread did not start: ${reason}`));
      };
      const timer = setTimeout(fail, LIMIT_MS, `nothing was heard of it within ${LIMIT_MS / 1000} s`);
      thread.onError = (reason) => {
        clearTimeout(timer);
        fail(reason);
      };
      thread.onMessage = (message) => {
        clearTimeout(timer);
        if (message === 'started') {
          thread.hold(false);
          resolve();
        } else if (message === 'ended') sayEnded(true);
        else fail(message.error);
      };
    });
    this.started.catch(() => {}); // ThreadPool.start reports it
    thread.start(start);
  }

  /**
   * Waits for its end.
   * @returns false if it does not end in time
   */
  async end(): Promise<boolean> {
    this.thread.hold(true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, LIMIT_MS, false);
    });
    const hasEnded = await Promise.race([this.ended, limit]);
    clearTimeout(timer);
    this.thread.terminate();
    return hasEnded;
  }
}

function embeddedScript(): string {
  const text = EMBEDDED[SCRIPT];
  if (text === undefined) throw new Error(`${PACKAGE}: ${SCRIPT} is not built; npm run build says why`);
  return text;
}

function pageThread(script: string | URL | undefined): Thread {
  const url = script ?? URL.createObjectURL(new Blob([embeddedScript()], { type: 'text/javascript' }));
  const thread: Thread = { start: () => {}, hold: () => {}, terminate: () => {} };
  const release = () => {
    if (!script) URL.revokeObjectURL(String(url));
  };
  const refuse = (reason: string) => {
    release();
    const remedy = script ? '' : '; a Content-Security-Policy has to allow it: worker-src blob:';
    thread.onError?.(`${reason}${remedy}`);
  };
  try {
    const worker = new Worker(url, { name: PACKAGE });
    worker.onmessage = ({ data }) => {
      release();
      thread.onMessage?.(data);
    };
    worker.onerror = (event) => {
      event.preventDefault(); // the promise reports it
      refuse(event.message || `the script ${url} cannot be loaded`);
    };
    thread.start = (message) => worker.postMessage(message);
    thread.terminate = () => worker.terminate();
  } catch (error) {
    thread.start = () => refuse(String(error));
  }
  return thread;
}

function nodeThread(script: string | URL | undefined): Thread {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = script ? new Worker(script) : new Worker(embeddedScript(), { eval: true });
  const thread: Thread = {
    start: (message) => worker.postMessage(message),
    hold: (isHeld) => void (isHeld ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
  worker.on('message', (message: ThreadMessage) => thread.onMessage?.(message));
  worker.on('error', (error) => thread.onError?.(error.message));
  worker.on('exit', () => thread.onMessage?.('ended'));
  return thread;
}
