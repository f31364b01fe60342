/** Waits for the next task: timers and aborts only have their turn between tasks. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function')
      setImmediate(resolve); // does not wait; pages have none
    else setTimeout(resolve);
  });
}
