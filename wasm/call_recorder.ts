/** Notes what kernels do while a computation is recorded, as steps that do the same again. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Exports } from './instantiate.js';
import type { RecordingMemory } from './recording_memory.js';
import type { NativeFunction } from './thread_queue.js';
import type { ArgumentsOf, Parts, Threads } from './threads.js';

export class CallRecorder {
  readonly steps: (() => void)[] = [];
  /** The exported functions, which are noted when they are called. */
  readonly functions: Exports;
  /** Data of the tensors that kernels read and that existed before, such as weights. */
  readonly given = new Set<object>();
  /** Number of calls of this package's kernels. */
  kernels = 0;
  isPaused = false;
  isRefused = false;
  /** Data of tensors made while recording. */
  private readonly made = new WeakSet<object>();
  /** Those whose values do not depend on the inputs of the computation. */
  private readonly constants = new WeakSet<object>();

  constructor(
    exports: Exports,
    private readonly threads: Threads,
    private readonly memory: RecordingMemory,
  ) {
    this.functions = Object.fromEntries(
      Object.entries(exports).map(([name, value]) => [
        name,
        typeof value === 'function' ? this.noting(value as NativeFunction) : value,
      ]),
    );
  }

  note(step: () => void): void {
    if (!this.isPaused && !this.isRefused) this.steps.push(step);
  }

  /** Gives the recording up, because something happens that cannot be replayed. The computation goes on. */
  refuse(): void {
    this.isRefused = true;
    this.steps.length = 0;
  }

  run(name: string, parts: Parts, argumentsOf: ArgumentsOf): void {
    const calls = this.threads.callsOf(parts, argumentsOf);
    const step = () => this.threads.runCalls(name, parts.slots, calls);
    this.note(step);
    step();
  }

  /** Runs something that need not be done again. */
  paused<Result>(run: () => Result): Result {
    const { isPaused } = this;
    this.isPaused = true;
    try {
      return run();
    } finally {
      this.isPaused = isPaused;
    }
  }

  /** Returns memory for values that do not depend on the inputs of the computation; undefined while it is paused. */
  constant(bytes: number): number | undefined {
    return this.isPaused ? undefined : this.memory.constant(bytes);
  }

  /** Notes that a tensor was made, by a kernel unless it is constant. */
  makes(dataId: object, isConstant: boolean): void {
    if (this.isPaused) return;
    this.made.add(dataId);
    if (isConstant) this.constants.add(dataId);
  }

  /** Whether one of these tensors was made while recording. */
  hasMade(tensors: readonly Pick<TensorInfo, 'dataId'>[]): boolean {
    return tensors.some(({ dataId }) => this.made.has(dataId));
  }

  /** Whether values were computed by kernels. */
  isComputed(dataId: object): boolean {
    return this.made.has(dataId) && !this.constants.has(dataId);
  }

  reads(tensor: TensorInfo): void {
    if (!this.hasMade([tensor])) this.given.add(tensor.dataId);
  }

  private noting(call: NativeFunction): NativeFunction {
    return (...args) => {
      this.note(() => call(...args));
      return call(...args);
    };
  }
}
