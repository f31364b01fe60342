/** For work of which only the newest result counts: signals, triggers, and the resulting bitmaps. */
import { effect, type Signal } from '@preact/signals';

/** @returns a function that returns a signal for new work, and aborts the previous one */
export function latest(): () => AbortSignal {
  let controller = new AbortController();
  return () => {
    controller.abort();
    controller = new AbortController();
    return controller.signal;
  };
}

/** Sets a signal and closes the bitmaps of its old value. */
export function replace<T extends ImageBitmap | object>(
  target: Signal<T | undefined>,
  value: T | undefined,
): void {
  const old = target.peek();
  target.value = value;
  if (old) close(old);
}

/** Frees a bitmap, or the bitmaps in a result of the worker. */
export function close(answer: ImageBitmap | object): void {
  for (const each of answer instanceof ImageBitmap ? [answer] : Object.values(answer)) {
    if (each instanceof ImageBitmap) each.close();
  }
}

/** Calls `action` when what `values` reads has not changed for `delay` milliseconds; not for the initial values. */
export function whenSettled(values: () => unknown, action: () => unknown, delay: number): void {
  let isFirst = true;
  effect(() => {
    values();
    if (isFirst) {
      isFirst = false;
      return;
    }
    const timer = setTimeout(action, delay);
    return () => clearTimeout(timer);
  });
}
