/** What is recorded for the GPU while something runs, whoever records it. */
export function countDispatches<Result>(run: () => Result): { result: Result; dispatches: number } {
  const { prototype } = GPUComputePassEncoder;
  const { dispatchWorkgroups } = prototype;
  let dispatches = 0;
  prototype.dispatchWorkgroups = function (...args) {
    dispatches++;
    return dispatchWorkgroups.apply(this, args);
  };
  try {
    const result = run();
    return { result, dispatches };
  } finally {
    prototype.dispatchWorkgroups = dispatchWorkgroups;
  }
}
