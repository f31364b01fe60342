// Where in a checkpoint the weights are, under the names that training scripts give them.

import type { Checkpoint } from './checkpoint.js';
import { CheckpointError, quote } from './errors.js';
import { entriesOf, InertGlobal, InertObject, PickleTuple, type PickleValue } from './pickle_values.js';
import { StoredTensor } from './tensor.js';

/** A set of weights: the trained ones, or their exponential moving average. */
export type WeightSet = 'model' | 'model_ema';

/** Something in the checkpoint that is not among the chosen weights, and why. */
export interface IgnoredEntry {
  readonly name: string;
  readonly reason: string;
}

export interface StateDict {
  /** Key of the checkpoint under which it lies; '' if the checkpoint is the state dict. */
  readonly path: string;
  /** Tensors by name, in the order of the file, without a `module.` that all names share. */
  readonly entries: ReadonlyMap<string, StoredTensor>;
  readonly ignored: readonly IgnoredEntry[];
}

/** Keys for each set of weights, the commonest first (`state_dict_ema` is timm's name). */
const KEYS: Readonly<Record<WeightSet, readonly string[]>> = {
  model: ['model', 'state_dict'],
  model_ema: ['model_ema', 'state_dict_ema'],
};

/** DistributedDataParallel puts this before every name. */
const PARALLEL_PREFIX = 'module.';

const TRAINING_STATE: Readonly<Record<string, string>> = {
  optimizer: "the optimizer's state",
  optimizer_state_dict: "the optimizer's state",
  lr_scheduler: "the learning rate scheduler's state",
  scheduler: "the learning rate scheduler's state",
  scaler: "the loss scaler's state",
  amp: "the loss scaler's state",
  config: 'the configuration of the training run',
  args: 'the configuration of the training run',
  epoch: 'the progress of the training run',
};

/** A dict most of whose values are tensors. */
function isStateDict(value: PickleValue | undefined): boolean {
  const entries = entriesOf(value);
  if (entries === undefined) return false;
  let tensors = 0;
  for (const item of entries.values()) if (item instanceof StoredTensor) tensors++;
  return tensors * 2 > entries.size;
}

function count(value: PickleValue | undefined): number {
  let tensors = 0;
  for (const item of entriesOf(value)?.values() ?? []) if (item instanceof StoredTensor) tensors++;
  return tensors;
}

/** A value in a few words. */
function kindOf(value: PickleValue): string {
  if (value === null) return 'None';
  if (typeof value === 'string') return 'a text';
  if (typeof value !== 'object') return `a ${typeof value === 'boolean' ? 'truth value' : 'number'}`;
  if (value instanceof StoredTensor) return `a tensor of shape [${value.shape.join()}]`;
  if (value instanceof Map) return `a dict of ${value.size} entries`;
  if (value instanceof InertObject) return `an object of class ${value.class}`;
  if (value instanceof InertGlobal) return `the name ${value.path}`;
  if (Array.isArray(value)) return `a list of ${value.length} values`;
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length} values`;
  return 'no tensor';
}

function nameOf(key: PickleValue): string {
  return typeof key === 'string' ? key : `(${kindOf(key)})`;
}

function describeSibling(name: string, value: PickleValue): string {
  const set = (Object.keys(KEYS) as WeightSet[]).find((weights) => KEYS[weights].includes(name));
  if (set !== undefined && isStateDict(value)) {
    return `another set of weights (${count(value)} tensors), chosen with weights "${set}"`;
  }
  const known = Object.hasOwn(TRAINING_STATE, name) ? TRAINING_STATE[name] : undefined;
  return known === undefined ? `${kindOf(value)}, not part of the weights` : `${known}, not weights`;
}

/** Where the asked-for weights are: the key and the dict. */
function locate(root: PickleValue, weights: WeightSet | undefined): [string, PickleValue] | undefined {
  const wanted = weights === undefined ? [...KEYS.model, ...KEYS.model_ema] : KEYS[weights];
  const entries = entriesOf(root);
  for (const key of wanted) {
    const value = entries?.get(key);
    if (value !== undefined && isStateDict(value)) return [key, value];
  }
  return weights !== 'model_ema' && isStateDict(root) ? ['', root] : undefined;
}

function refuse(checkpoint: Checkpoint, weights: WeightSet | undefined): never {
  const entries = entriesOf(checkpoint.root);
  const wanted = weights === undefined ? 'weights' : `weights ${quote(weights)}`;
  const held =
    entries === undefined
      ? `the file holds ${kindOf(checkpoint.root)}; save model.state_dict() instead`
      : isStateDict(checkpoint.root)
        ? `the file is one bare state dict of ${count(checkpoint.root)} tensors`
        : `the file holds ${
            [...entries.keys()]
              .slice(0, 16)
              .map((key) => quote(nameOf(key)))
              .join(', ') || 'nothing'
          }`;
  throw new CheckpointError('weights-not-found', `the checkpoint has no ${wanted}: ${held}`);
}

/**
 * Finds the state dict: under `model`, `state_dict` or bare, or with `weights: 'model_ema'` under `model_ema`; without
 * `weights` the first of these that is there.
 * @throws CheckpointError 'weights-not-found', with a list of what is there
 */
export function findStateDict(
  checkpoint: Checkpoint,
  options: { readonly weights?: WeightSet } = {},
): StateDict {
  const { root } = checkpoint;
  const [path, value] = locate(root, options.weights) ?? refuse(checkpoint, options.weights);
  const ignored: IgnoredEntry[] = [];
  if (path !== '') {
    for (const [key, sibling] of entriesOf(root) ?? []) {
      if (key !== path) ignored.push({ name: nameOf(key), reason: describeSibling(nameOf(key), sibling) });
    }
  }
  const all: [string, StoredTensor][] = [];
  for (const [key, item] of entriesOf(value) ?? []) {
    if (typeof key === 'string' && item instanceof StoredTensor) all.push([key, item]);
    else ignored.push({ name: path === '' ? nameOf(key) : `${path}.${nameOf(key)}`, reason: kindOf(item) });
  }
  const parallel = all.every(([name]) => name.startsWith(PARALLEL_PREFIX));
  const strip = parallel ? PARALLEL_PREFIX.length : 0;
  return { path, entries: new Map(all.map(([name, tensor]) => [name.slice(strip), tensor])), ignored };
}

/**
 * A number in the configuration that a training checkpoint carries, such as `['config', 'DATA', 'IMG_SIZE']`, looked
 * up in dicts and in inert objects (their entries, then their attributes). Undefined if there is none.
 */
export function readConfigNumber(checkpoint: Checkpoint, path: readonly string[]): number | undefined {
  let value: PickleValue | undefined = checkpoint.root;
  for (const key of path) {
    const state: PickleValue | undefined = value instanceof InertObject ? value.state : undefined;
    const held: PickleValue | undefined = entriesOf(value)?.get(key);
    value = held ?? (state instanceof Map ? state.get(key) : undefined);
  }
  return typeof value === 'number' ? value : undefined;
}
