/**
 * The state from which training resumes: every value of the model, the optimiser and the moving average, bit for bit, and
 * the positions of data and random numbers. Plain arrays and JSON, which a folder or IndexedDB can store.
 */
import { dispose, type Optimizer, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { integer, isRecord, number, optional, record } from '../models/checks.js';
import type { MovingAverage } from './moving_average.js';
import type { Trainable } from './trainable.js';

/** A tensor on the host. */
export interface StoredTensor {
  readonly dtype: 'float32' | 'int32';
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** Best result on held-out examples so far. */
export interface BestResult {
  readonly step: number;
  readonly accuracy: number;
}

/** Plain JSON. */
export interface TrainingProgress {
  /** Version of this format: 1. */
  readonly version: 1;
  /** Number of updates done. */
  readonly step: number;
  /** Position of the source of batches. */
  readonly position: unknown;
  /** Random state of the trainable model. */
  readonly random: unknown;
  readonly best?: BestResult;
  /** Number of evaluations since the best one. */
  readonly waited: number;
}

/** See `saveState`. */
export interface TrainingState {
  readonly progress: TrainingProgress;
  /** `model/<parameter>`, `optimizer/<parameter>/<slot>`, `average/<parameter>` */
  readonly tensors: Readonly<Record<string, StoredTensor>>;
}

/** The objects whose state is saved. */
export interface Trained {
  readonly trainable: Pick<Trainable, 'parameters' | 'randomState' | 'restoreRandom'>;
  readonly optimizer: Optimizer;
  readonly average?: MovingAverage;
}

const PROGRESS = record({
  version: integer(1, 1),
  step: integer(0),
  waited: integer(0),
  best: optional(record({ step: integer(0), accuracy: number(0, 1) })),
  random: (value, name) => record({ random: integer(0, 2 ** 32 - 1) })(value, name),
});

/** Reads all tensors to the host. */
export async function saveState(
  { trainable, optimizer, average }: Trained,
  progress: TrainingProgress,
): Promise<TrainingState> {
  const tensors: Record<string, StoredTensor> = {};
  const store = async (name: string, value: Tensor) => {
    const values = (await value.data()).slice() as Float32Array | Int32Array;
    tensors[name] = { dtype: value.dtype as StoredTensor['dtype'], shape: value.shape, values };
  };
  for (const [name, { variable }] of trainable.parameters) await store(`model/${name}`, variable);
  const [iterations, ...slots] = await optimizer.getWeights();
  for (const { name, tensor } of [iterations, ...slots]) await store(`optimizer/${name}`, tensor);
  iterations.tensor.dispose(); // created for this list; the others belong to the optimiser
  for (const [name, value] of Object.entries(average?.tensors() ?? {})) await store(`average/${name}`, value);
  return { progress, tensors };
}

/**
 * Restores a state, which may come from an untrusted file: everything is checked before anything is changed.
 * @throws {Error} one line, if it is not a state for this model and these options.
 */
export async function restoreState(
  { trainable, optimizer, average }: Trained,
  state: TrainingState,
): Promise<void> {
  checkProgress(state.progress);
  const parts = splitState(state);
  const shapes = new Map([...trainable.parameters].map(([name, { variable }]) => [name, variable.shape]));
  checkParameters('model', parts.model, shapes);
  if (average) checkParameters('average', parts.average, shapes);
  else if (parts.average.size > 0) throw new Error('the state has a moving average, the recipe has none');
  for (const [name, { dtype, shape }] of parts.optimizer) {
    if (name === 'iter') {
      if (dtype !== 'int32' || shape.length !== 0)
        throw new Error('the state: optimizer/iter is not an int32 scalar');
      continue;
    }
    const expected = shapes.get(name.replace(/\/[^/]*$/, ''));
    checkTensor(`optimizer/${name}`, { dtype, shape }, expected);
  }
  if (!parts.optimizer.has('iter')) throw new Error('the state lacks optimizer/iter');

  for (const [name, { variable }] of trainable.parameters) {
    const value = toTensor(parts.model.get(name) as StoredTensor);
    variable.assign(value);
    value.dispose();
  }
  const weights = [...parts.optimizer].sort(([a], [b]) => Number(b === 'iter') - Number(a === 'iter'));
  const named = weights.map(([name, stored]) => ({ name, tensor: toTensor(stored) }));
  await optimizer.setWeights(named);
  dispose(named.slice(1).map(({ tensor }) => tensor));
  if (!named[0].tensor.isDisposed) named[0].tensor.dispose();
  if (average) {
    const averages = Object.fromEntries([...parts.average].map(([name, stored]) => [name, toTensor(stored)]));
    average.restore(averages);
    dispose(averages);
  }
  trainable.restoreRandom(state.progress.random as Parameters<Trained['trainable']['restoreRandom']>[0]);
}

/** @throws {Error} if the value is not the progress of a training. */
export function checkProgress(value: unknown): asserts value is TrainingProgress {
  PROGRESS(value, 'the progress');
  if (!isRecord((value as TrainingProgress).position))
    throw new Error('the progress has no position of the data');
}

type Part = ReadonlyMap<string, StoredTensor>;

function splitState({ tensors }: TrainingState): Record<'model' | 'optimizer' | 'average', Part> {
  const parts = { model: new Map(), optimizer: new Map(), average: new Map() };
  for (const [name, stored] of Object.entries(tensors)) {
    const at = name.indexOf('/');
    const part = name.slice(0, at);
    if (!Object.hasOwn(parts, part))
      throw new Error(`the state has an unknown tensor ${JSON.stringify(name)}`);
    parts[part as keyof typeof parts].set(name.slice(at + 1), stored);
  }
  return parts;
}

/** Checks that every parameter is present with its shape, and nothing else. */
function checkParameters(part: string, stored: Part, shapes: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, value] of stored) checkTensor(`${part}/${name}`, value, shapes.get(name));
  for (const name of shapes.keys()) {
    if (!stored.has(name)) throw new Error(`the state lacks ${part}/${name}`);
  }
}

function checkTensor(
  name: string,
  { dtype, shape }: Pick<StoredTensor, 'dtype' | 'shape'>,
  expected: readonly number[] | undefined,
): void {
  if (expected === undefined) throw new Error(`the state has ${name}, which the model has not`);
  if (dtype === 'float32' && `${shape}` === `${expected}`) return;
  throw new Error(`the state: ${name} is ${dtype} [${shape}], expected float32 [${expected}]`);
}

function toTensor({ dtype, shape, values }: StoredTensor): Tensor {
  return tensor(values, [...shape], dtype);
}
