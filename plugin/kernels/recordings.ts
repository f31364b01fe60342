/**
 * Recordings of computations, kept by owner: what the recorders of all backends have in common. The first time, a computation
 * just runs, which creates everything that is made once (pipelines, packed weights); the second time it is recorded; from then
 * on it is replayed.
 */
import { engine, env, getBackend, getKernel, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import { ALL_OPS } from '../ops/index.js';
import type { CheckTaker, Computation, Recorder } from './recorders.js';
import { readValues } from './values.js';

/** Maximum recordings per owner. Each may hold as much memory as its computation needs. */
const MOST_RECORDINGS = 2;
/** Maximum known computations (input shapes) per owner. */
const MOST_ENTRIES = 64;

/** A computation cannot be replayed. */
export class NotRecordable extends Error {}

/** What a backend provides. */
export interface RecordingBackend<Recording> {
  /** Whether a computation of these tensors can be recorded and replayed now. */
  canRun(inputs: readonly Tensor[]): boolean;
  /**
   * Computes the outputs and records how, unless what happens cannot be replayed. Without outputs the computation is run as
   * usual.
   */
  record(computation: Computation): { readonly outputs?: Tensor[]; readonly made?: Recording };
  isCurrent(recording: Recording, weights: readonly Tensor[]): boolean;
  /** @throws {NotRecordable} if the computation turns out to differ from the recorded one. */
  replay(recording: Recording, inputs: readonly Tensor[]): Tensor[];
  drop(recording: Recording): void;
}

/** The state of a computation. */
interface Entry<Recording> {
  recording?: Recording;
  /** The kernels of this package's ops when it was recorded: others compute otherwise. */
  kernels?: readonly unknown[];
  /** Set if it depends on more than kernels, so that it cannot be recorded. */
  isHopeless?: boolean;
}

export class Recordings<Recording> implements Recorder {
  private readonly owners = new WeakMap<object, Map<string, Entry<Recording>>>();

  constructor(private readonly backend: RecordingBackend<Recording>) {}

  run(computation: Computation): Tensor[] {
    const { owner, key, inputs, weights, compute } = computation;
    const { state } = engine();
    // Gradients and profiles need the computation, and so does tfjs's debug mode, which checks the result of every kernel.
    const isObserved = state.gradientDepth > 0 || state.profiling || env().getBool('DEBUG');
    if (isObserved || !this.backend.canRun(inputs)) return compute(inputs);
    const entries = this.owners.get(owner) ?? new Map<string, Entry<Recording>>();
    this.owners.set(owner, entries);
    const entry = entries.get(key);
    if (!entry) {
      entries.set(key, {});
      this.limit(entries);
      return compute(inputs);
    }
    if (entry.isHopeless) return compute(inputs);
    const isRecent = [...entries.keys()].slice(-MOST_RECORDINGS).includes(key);
    renew(entries, key, entry);
    const kernels = ALL_OPS.map(({ name }) => getKernel(name, getBackend())?.kernelFunc);
    const hasSameKernels = kernels.every((kernel, i) => kernel === entry.kernels?.[i]);
    if (entry.recording && hasSameKernels && this.backend.isCurrent(entry.recording, weights)) {
      return this.replay(entry, computation);
    }
    this.drop(entry);
    // Varying shapes (of what a detector keeps) would be recorded and discarded, one after another.
    if (!isRecent) return compute(inputs);
    const { outputs, made } = this.backend.record(computation);
    if (!made) entry.isHopeless = true;
    entry.recording = made;
    entry.kernels = kernels;
    this.limit(entries);
    return outputs ?? compute(inputs);
  }

  private replay(entry: Entry<Recording>, { inputs, compute }: Computation): Tensor[] {
    try {
      return this.backend.replay(entry.recording as Recording, inputs);
    } catch (error) {
      if (!(error instanceof NotRecordable)) throw error;
      this.drop(entry);
      entry.isHopeless = true;
      return compute(inputs);
    }
  }

  private drop(entry: Entry<Recording>): void {
    if (entry.recording) this.backend.drop(entry.recording);
    entry.recording = undefined;
  }

  /** Keeps the most recently used ones. */
  private limit(entries: Map<string, Entry<Recording>>): void {
    let recordings = 0;
    for (const [i, [key, entry]] of [...entries].reverse().entries()) {
      if (entry.recording && (++recordings > MOST_RECORDINGS || i >= MOST_ENTRIES)) this.drop(entry);
      if (i >= MOST_ENTRIES) entries.delete(key);
    }
  }
}

/** Entries are in the order of use. */
function renew<Value>(entries: Map<string, Value>, key: string, entry: Value): void {
  entries.delete(key);
  entries.set(key, entry);
}

/** Checks the values of the inputs of a computation. @throws {OpError} if they are not as an op expects. */
export type InputCheck = (inputs: readonly TensorInfo[]) => void;

/**
 * Takes over checks that concern copies of the inputs of a computation while it is recorded: they run on the originals, then
 * and on each replay, and are added to `checks`.
 * @param refuse called for a tree, which is not only checked, but also brought into another order if necessary, so that the
 *   computation cannot be replayed
 */
export function takesInputChecks(
  copies: readonly TensorInfo[],
  inputs: readonly TensorInfo[],
  checks: InputCheck[],
  refuse: (reason: string) => void,
): CheckTaker {
  const copied = new Map<object, number>(copies.map(({ dataId }, i) => [dataId, i]));
  return (op, given, attributes) => {
    const names = Object.keys(given).filter(
      (name) => given[name].dtype === 'int32' && copied.has(given[name].dataId),
    );
    if (names.length === 0) return false;
    if (names.includes('order') || names.includes('parent')) {
      refuse('a tree is fed');
      return false;
    }
    const check: InputCheck = (originals) => {
      const replaced = names.map((name) => {
        const { shape, dtype, dataId } = given[name];
        return [name, { shape, dtype, dataId: originals[copied.get(dataId) as number].dataId }];
      });
      op.validate?.(
        { ...given, ...Object.fromEntries(replaced) },
        attributes,
        (info) => readValues(op.name, engine().backend, info) as Int32Array,
      );
    };
    check(inputs);
    checks.push(check);
    return true;
  };
}
