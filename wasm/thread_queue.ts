/**
 * The queue of a pool of threads, in the memory that they share. It holds one job at a time: a function that is called
 * for every part of some work. Whoever is there, the caller and the threads, takes the next part until none is left.
 */

/** Words of 32 bits at its start. */
const Word = {
  /** Parts that nobody has taken; what idle threads wait on. */
  REMAINING: 0,
  /** Parts that are not done; what the caller waits on. */
  UNFINISHED: 1,
  /** Index of the function. */
  FUNCTION: 2,
  /** How many arguments it takes. */
  ARGUMENTS: 3,
  /** Whether a part has failed: the first one leaves its message. */
  FAILED: 4,
  MESSAGE_BYTES: 5,
  /** How many there are, an even number: float64 follows. */
  WORDS: 6,
} as const;
/** In the place of the remaining parts: threads end. */
const ENDED = -1;

/** Of a job: the caller and the threads end within half a part of each other. */
export const MOST_PARTS = 64;
const MOST_ARGUMENTS = 24;
const MESSAGE_BYTES = 256;
const ARGUMENTS_AT = 4 * Word.WORDS;
const MESSAGE_AT = ARGUMENTS_AT + 8 * MOST_PARTS * MOST_ARGUMENTS;
export const QUEUE_BYTES = MESSAGE_AT + MESSAGE_BYTES;

/**
 * How long a thread looks for a next job before it sleeps. To wake it takes 0.05 ms and more, as long as many a job; of the
 * gaps between two jobs of a prediction most are shorter than this.
 */
const LOOKING_MS = 0.5;
/** Looks between two looks at the clock. */
const LOOKS = 64;
/** Sleep of a page, which stops its clock too, counts as no more than this. */
const LONGEST_STEP_MS = 100;

/** Leaves a core to its other thread while this one looks; where the engine has it. */
const { pause } = Atomics as { readonly pause?: () => void };

export type NativeFunction = (...args: number[]) => unknown;

export class ThreadQueue {
  /** These stay: only views of a memory that is not shared are detached when it grows. */
  private readonly words: Int32Array;
  private readonly numbers: Float64Array;
  private readonly message: Uint8Array;

  constructor({ buffer }: WebAssembly.Memory, address: number) {
    this.words = new Int32Array(buffer, address, Word.WORDS);
    this.numbers = new Float64Array(buffer, address + ARGUMENTS_AT, MOST_PARTS * MOST_ARGUMENTS);
    this.message = new Uint8Array(buffer, address + MESSAGE_AT, MESSAGE_BYTES);
  }

  /** Before anyone else sees it. */
  clear(): void {
    this.words.fill(0);
  }

  /** Makes a job known to the threads. `argumentsOf` gives those of a part. */
  offer(functionIndex: number, parts: number, argumentsOf: (part: number) => readonly number[]): void {
    const { words, numbers } = this;
    Atomics.notify(words, Word.REMAINING); // those asleep wake up meanwhile
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

  /** Takes parts and runs them until none is left. The job stays as it is while a part that was taken is not done. */
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

  /** The life of a thread: parts of one job after another, until `end`. */
  serve(functions: readonly NativeFunction[]): void {
    while (this.waitForJob() !== ENDED) this.takeParts(functions);
  }

  /**
   * Waits until all parts are done: asleep where that is allowed. The main thread of a page may not sleep: it looks again
   * and again, no longer than the parts take that others have begun, since it has taken parts itself until none was left.
   * @returns false where nothing was done for `limit` milliseconds.
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

  /** What the first part to fail said; undefined where none has. */
  failure(): string | undefined {
    const { words, message } = this;
    if (Atomics.load(words, Word.FAILED) === 0) return undefined;
    return new TextDecoder().decode(message.slice(0, words[Word.MESSAGE_BYTES]));
  }

  /** Lets the threads end. */
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
