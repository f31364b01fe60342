/**
 * Recording: a backend may record the commands of a computation, and replay them for other input values without running the
 * computation again. Callers that repeat a computation, such as a model for inputs of one shape, request it here.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { Attributes, OpDeclaration } from '../ops/declaration.js';

/** A computation of tensors that depends on the values of its inputs only through kernels and checks. */
export interface Computation {
  /** Its owner: recordings are kept as long as the owner exists. */
  readonly owner: object;
  /** Identifies it among the computations of its owner: names, shapes and dtypes of the inputs, names of the outputs. */
  readonly key: string;
  readonly inputs: readonly Tensor[];
  /** All other tensors that it may use. If one of them changes, it is recorded again. */
  readonly weights: readonly Tensor[];
  /** Runs it. The caller disposes the result. */
  readonly compute: (inputs: readonly Tensor[]) => Tensor[];
}

/** The recorder of a backend. */
export interface Recorder {
  /** Returns the outputs of a computation, computed or replayed, with the same bits. */
  run(computation: Computation): Tensor[];
}

const recorders = new Map<string, Recorder>();

export function registerRecorder(backendName: string, recorder: Recorder): void {
  recorders.set(backendName, recorder);
}

/** The recorder of a backend, if it has one. */
export function recorderOf(backendName: string): Recorder | undefined {
  return recorders.get(backendName);
}

/**
 * Takes over a check of values if it concerns an input of the computation that is being recorded: the check then runs, and
 * runs again on each replay.
 */
export type CheckTaker = (
  op: OpDeclaration,
  given: Readonly<Record<string, TensorInfo>>,
  attributes: Attributes,
) => boolean;

let taker: CheckTaker | undefined;

/** @param take used while `run` runs */
export function takingChecks<Result>(take: CheckTaker, run: () => Result): Result {
  taker = take;
  try {
    return run();
  } finally {
    taker = undefined;
  }
}

/** Whether a check of values was taken over. */
export function isCheckTaken(...check: Parameters<CheckTaker>): boolean {
  return taker?.(...check) ?? false;
}
