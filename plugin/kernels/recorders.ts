/**
 * Recording: a backend may note what a computation makes it do, and do it again for other values of the inputs, without
 * the computation. Who computes the same over and over, a model for inputs of one shape, asks for it here.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { Attributes, OpDeclaration } from '../ops/declaration.js';

/** A computation of tensors that depends on the values of its inputs through kernels and checks alone. */
export interface Computation {
  /** What it belongs to: recordings are kept for as long as this is. */
  readonly owner: object;
  /** What tells it from others of its owner: names, shapes and dtypes of the inputs, names of the outputs. */
  readonly key: string;
  readonly inputs: readonly Tensor[];
  /** All other tensors that it may use. Where one of them is another than before, it is recorded anew. */
  readonly weights: readonly Tensor[];
  /** Computes it. The result is the caller's to dispose. */
  readonly compute: (inputs: readonly Tensor[]) => Tensor[];
}

/** Of a backend. */
export interface Recorder {
  /** The outputs of a computation: computed, or as recorded before, to the same bits. */
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
 * Takes over a check of values, if it is of an input of what is being recorded: then it has been made, and is made again
 * whenever the recording is run.
 */
export type CheckTaker = (
  op: OpDeclaration,
  given: Readonly<Record<string, TensorInfo>>,
  attributes: Attributes,
) => boolean;

let taker: CheckTaker | undefined;

/** @param take while `run` runs */
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
