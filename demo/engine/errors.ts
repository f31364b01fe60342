/** Errors of the browser as one line that a person can act on. */

/** Name of the error after which the worker is of no more use: the page starts a new one. */
export const WORKER_LOST = 'WorkerLost';

/** @returns the error to show in place of one that was thrown */
export function explain(error: unknown): unknown {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'QuotaExceededError') {
      return new Error(
        'the browser gives this page no more storage: delete a model, or free space on the disk',
      );
    }
    if (isHeapLost(at)) {
      const lost = new Error(
        `the memory of this tab is used up: choose a smaller model or picture (${at.message})`,
      );
      lost.name = WORKER_LOST;
      return lost;
    }
    if (at instanceof RangeError && /alloc|memory|array length|array buffer/i.test(at.message)) {
      return new Error(
        `the memory of this tab is used up: choose a smaller model or picture (${at.message})`,
      );
    }
  }
  return error;
}

/** After these the heap of WebAssembly is in no known state. */
function isHeapLost(error: Error): boolean {
  return (
    error instanceof WebAssembly.RuntimeError ||
    /WebAssembly\.Memory|memory\.grow|Cannot enlarge memory|Aborted\(|: out of memory/i.test(error.message)
  );
}

/** Calls whose errors are explained. */
export function explained<T extends Record<string, (...given: never[]) => Promise<unknown>>>(calls: T): T {
  return Object.fromEntries(
    Object.entries(calls).map(([name, ask]) => [
      name,
      async (...given: never[]) => {
        try {
          return await ask(...given);
        } catch (error) {
          throw explain(error);
        }
      },
    ]),
  ) as T;
}
