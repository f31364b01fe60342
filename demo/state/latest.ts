/** For work of which the newest alone counts, the values that ask for it, and the bitmaps that it gives. */
import { effect, type Signal } from '@preact/signals';

/** @returns a function that gives the next piece of work its signal, and aborts that of the one before */
export function latest(): () => AbortSignal {
  let controller = new AbortController();
  return () => {
    controller.abort();
    controller = new AbortController();
    return controller.signal;
  };
}

/** Gives a signal a new value and closes the bitmaps of the old one. */
export function replace<T extends ImageBitmap | object>(
  target: Signal<T | undefined>,
  value: T | undefined,
): void {
  const old = target.peek();
  target.value = value;
  if (old) close(old);
}

/** Frees a bitmap, or those that an answer of the worker holds. */
export function close(answer: ImageBitmap | object): void {
  for (const each of answer instanceof ImageBitmap ? [answer] : Object.values(answer)) {
    if (each instanceof ImageBitmap) each.close();
  }
}

/** Calls `action` when what `values` reads has been the same for some milliseconds; not for what it reads first. */
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
