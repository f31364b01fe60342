/** Waits for the next task, because timers and aborts are only processed between tasks. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function')
      setImmediate(resolve); // has no minimum delay; pages lack it
    else setTimeout(resolve);
  });
}
