/**
 * The job queue of a pool of threads, in their shared memory. It holds one job at a time: a function that is called for
 * every part of some work. The caller and the awake threads take the next part until none is left.
 */

/** 32-bit words at its start. */
const Word = {
  /** Number of parts not yet taken; idle threads wait on it. */
  REMAINING: 0,
  /** Number of parts not yet done; the caller waits on it. */
  UNFINISHED: 1,
  /** Index of the function. */
  FUNCTION: 2,
  /** Number of its arguments. */
  ARGUMENTS: 3,
  /** Whether a part has failed; the first one stores its message. */
  FAILED: 4,
  MESSAGE_BYTES: 5,
  /** Number of words; even, because float64 values follow. */
  WORDS: 6,
} as const;
/** Value of REMAINING that makes threads end. */
const ENDED = -1;

/** Maximum parts of a job, so that the caller and the threads finish within half a part of each other. */
export const MOST_PARTS = 64;
const MOST_ARGUMENTS = 24;
const MESSAGE_BYTES = 256;
const ARGUMENTS_AT = 4 * Word.WORDS;
const MESSAGE_AT = ARGUMENTS_AT + 8 * MOST_PARTS * MOST_ARGUMENTS;
export const QUEUE_BYTES = MESSAGE_AT + MESSAGE_BYTES;

/**
 * How long a thread spins for the next job before it sleeps. Waking it takes 0.05 ms or more, as long as many jobs; most
 * gaps between two jobs of a prediction are shorter than this.
 */
const LOOKING_MS = 0.5;
/** Spins between two reads of the clock. */
const LOOKS = 64;
/** Limit on a step of the clock, since a suspended page also stops its clock. */
const LONGEST_STEP_MS = 100;

/** Yields a core to its sibling hardware thread while this one spins, if the engine supports it. */
const { pause } = Atomics as { readonly pause?: () => void };

export type NativeFunction = (...args: number[]) => unknown;

export class ThreadQueue {
  /** These views stay valid: growth detaches only views of memory that is not shared. */
  private readonly words: Int32Array;
  private readonly numbers: Float64Array;
  private readonly message: Uint8Array;

  constructor({ buffer }: WebAssembly.Memory, address: number) {
    this.words = new Int32Array(buffer, address, Word.WORDS);
    this.numbers = new Float64Array(buffer, address + ARGUMENTS_AT, MOST_PARTS * MOST_ARGUMENTS);
    this.message = new Uint8Array(buffer, address + MESSAGE_AT, MESSAGE_BYTES);
  }

  /** Call it before any other thread sees the queue. */
  clear(): void {
    this.words.fill(0);
  }

  /** Publishes a job to the threads. `argumentsOf` returns those of a part. */
  offer(functionIndex: number, parts: number, argumentsOf: (part: number) => readonly number[]): void {
    const { words, numbers } = this;
    Atomics.notify(words, Word.REMAINING); // wakes sleeping threads meanwhile
    let count = 0;
    for (let part = 0; part < parts; part++) {
      const values = argumentsOf(part);
      count = values.length;
      numbers.set(values, part * count);
    }
    words[Word.FUNCTION] = functionIndex;
    words[Word.ARGUMENTS] = count;
    words[Word.FAILED] = 0;
    Atomics.store(words, Word.UNFINISHED, parts);
    Atomics.store(words, Word.REMAINING, parts);
    Atomics.notify(words, Word.REMAINING);
  }

  /** Takes parts and runs them until none is left. The job does not change while a taken part is unfinished. */
  takeParts(functions: readonly NativeFunction[]): void {
    const { words, numbers } = this;
    for (;;) {
      const remaining = Atomics.load(words, Word.REMAINING);
      if (remaining <= 0) return;
      const part = remaining - 1;
      if (Atomics.compareExchange(words, Word.REMAINING, remaining, part) !== remaining) continue;
      const count = words[Word.ARGUMENTS];
      try {
        functions[words[Word.FUNCTION]](...numbers.subarray(part * count, (part + 1) * count));
      } catch (error) {
        this.fail(error);
      }
      if (Atomics.sub(words, Word.UNFINISHED, 1) === 1) Atomics.notify(words, Word.UNFINISHED);
    }
  }

  /** The loop of a thread: runs parts of one job after another, until `end`. */
  serve(functions: readonly NativeFunction[]): void {
    while (this.waitForJob() !== ENDED) this.takeParts(functions);
  }

  /**
   * Waits until all parts are done: asleep where that is allowed. The main thread of a page may not sleep: it spins, no
   * longer than the parts take that others have started, because it has taken parts itself until none was left.
   * @returns false if there was no progress for `limit` milliseconds
   */
  waitForAll(canSleep: boolean, limit: number): boolean {
    const { words } = this;
    let known = Atomics.load(words, Word.UNFINISHED);
    let waited = 0;
    let then = performance.now();
    while (known > 0) {
      for (let i = 0; i < LOOKS && known > 0; i++) {
        const unfinished = Atomics.load(words, Word.UNFINISHED);
        if (unfinished !== known) waited = 0;
        known = unfinished;
        pause?.();
      }
      if (known === 0) break;
      if (canSleep && waited > LOOKING_MS) Atomics.wait(words, Word.UNFINISHED, known, LONGEST_STEP_MS);
      const now = performance.now();
      waited += Math.min(now - then, LONGEST_STEP_MS);
      then = now;
      if (waited > limit) return false;
    }
    return true;
  }

  /** Returns the message of the first part that failed; undefined if none has. */
  failure(): string | undefined {
    const { words, message } = this;
    if (Atomics.load(words, Word.FAILED) === 0) return undefined;
    return new TextDecoder().decode(message.slice(0, words[Word.MESSAGE_BYTES]));
  }

  /** Makes the threads end. */
  end(): void {
    Atomics.store(this.words, Word.REMAINING, ENDED);
    Atomics.notify(this.words, Word.REMAINING);
  }

  /** Whether this thread may sleep. */
  canSleep(): boolean {
    try {
      Atomics.wait(this.words, Word.REMAINING, ENDED - 1, 0);
      return true;
    } catch {
      return false;
    }
  }

  private waitForJob(): number {
    const { words } = this;
    const start = performance.now();
    do {
      for (let i = 0; i < LOOKS; i++) {
        const remaining = Atomics.load(words, Word.REMAINING);
        if (remaining !== 0) return remaining;
        pause?.();
      }
    } while (performance.now() - start < LOOKING_MS);
    Atomics.wait(words, Word.REMAINING, 0);
    return Atomics.load(words, Word.REMAINING);
  }

  private fail(error: unknown): void {
    const { words, message } = this;
    if (Atomics.compareExchange(words, Word.FAILED, 0, 1) !== 0) return;
    const bytes = new TextEncoder().encode(String((error as Error | undefined)?.message ?? error));
    const used = bytes.subarray(0, MESSAGE_BYTES);
    message.set(used);
    words[Word.MESSAGE_BYTES] = used.length;
  }
}
