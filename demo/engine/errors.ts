/** Turns errors of the browser into one line that tells the user what to do. */

/** Name of an error after which the worker is unusable: the page starts a new one. */
export const WORKER_LOST = 'WorkerLost';

/** @returns the error to show instead of the given one */
function explain(error: unknown): unknown {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'QuotaExceededError') {
      return new Error(
        'the browser gives this page no more storage: delete a model, or free space on the disk',
      );
    }
    const isLost = isHeapLost(at);
    if (isLost || (at instanceof RangeError && /alloc|memory|array length|array buffer/i.test(at.message))) {
      const used = `the memory of this tab is used up: choose a smaller model or image (${at.message})`;
      return Object.assign(new Error(used), isLost && { name: WORKER_LOST });
    }
  }
  return error;
}

/** After these errors the state of the WebAssembly heap is undefined. */
function isHeapLost(error: Error): boolean {
  return (
    error instanceof WebAssembly.RuntimeError ||
    /WebAssembly\.Memory|memory\.grow|Cannot enlarge memory|Aborted\(|: out of memory/i.test(error.message)
  );
}

type Calls = Record<string, (...given: never[]) => Promise<unknown>>;

/** The same calls, each made through `around`. */
export function wrapped<T extends Calls>(
  calls: T,
  around: (ask: () => Promise<unknown>) => Promise<unknown>,
): T {
  return Object.fromEntries(
    Object.entries(calls).map(([name, ask]) => [name, (...given: never[]) => around(() => ask(...given))]),
  ) as T;
}

/** Calls whose errors are explained. */
export function explained<T extends Calls>(calls: T): T {
  return wrapped(calls, async (ask) => {
    try {
      return await ask();
    } catch (error) {
      throw explain(error);
    }
  });
}
