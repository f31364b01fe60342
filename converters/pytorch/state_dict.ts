// Locates the weights in a checkpoint: dicts of tensors, under the keys that training scripts use.

import type { Checkpoint } from './checkpoint.js';
import type { IgnoredEntry } from './container.js';
import { CheckpointError, quote } from './errors.js';
import { entriesOf, InertGlobal, InertObject, PickleTuple, type PickleValue } from './pickle_values.js';
import { StoredTensor } from './tensor.js';

export type { IgnoredEntry };

/** A set of weights: the trained ones, or their moving average. */
export type WeightSet = 'model' | 'model_ema';

/** A dict of tensors somewhere in a checkpoint. */
export interface StateDict {
  /** Keys that lead to it. */
  readonly keys: readonly string[];
  /** The same, joined by dots; '' if the checkpoint itself is the state dict. */
  readonly path: string;
  /** Whether its keys name a moving average. */
  readonly set: WeightSet;
  /** Whether every key on the path is one that training scripts use for weights. */
  readonly usual: boolean;
  /** Tensors by name, in file order. */
  readonly entries: ReadonlyMap<string, StoredTensor>;
  /** Other values of the dict, by name: the kind of each. */
  readonly others: ReadonlyMap<string, string>;
}

/** Which weights of a checkpoint to use; by default the trained ones, wherever they are. */
export interface WeightsChoice {
  readonly weights?: WeightSet;
  /** Keys that lead to the state dict, joined by dots. */
  readonly key?: string;
}

/** Keys under which training scripts save weights, or a dict that contains them. */
const USUAL =
  /^(model|net|network|module|params|weights|state_dict|checkpoint|pytorch_model)$|^(model|net|network|module)_?(state|weights|params|state_dict)$/;
/** Keys of moving averages (`state_dict_ema` is used by timm, `params_ema` by BasicSR). */
const AVERAGE = /(^|[_.])(ema|swa|averaged?|shadow)([_.]|$)/;
/** Keys of values that have tensors under parameter names but are not weights. Searched only if `key` names them. */
const TRAINING =
  /optim|scheduler|scaler|momentum|gradient|^grads?$|exp_avg|^(amp|config|args|loops|callbacks)$/;

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

/** Maximum depth of containers between the root and a state dict. */
const MAX_DEPTH = 4;
/** Number of values of a list or tuple that are searched. */
const MAX_LIST = 64;

/** A short description of a value. */
function kindOf(value: PickleValue): string {
  if (value === null) return 'None';
  if (typeof value === 'string') return 'a text';
  if (typeof value !== 'object') return `a ${typeof value === 'boolean' ? 'truth value' : 'number'}`;
  if (value instanceof StoredTensor) return `a tensor of shape [${value.shape.join()}]`;
  if (value instanceof Map) return `a dict of ${value.size} entries`;
  if (value instanceof InertObject) {
    return `${isModule(value) ? 'a pickled module object' : 'an object'} of class ${value.class}`;
  }
  if (value instanceof InertGlobal) return `the name ${value.path}`;
  if (Array.isArray(value)) return `a list of ${value.length} values`;
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length} values`;
  if (value instanceof Set) return `a set of ${value.size} values`;
  if (value instanceof Uint8Array) return `a string of ${value.byteLength} bytes`;
  return 'a storage without a shape';
}

/** Whether an object is a torch.nn.Module, pickled as a whole, which cannot be read without its program. */
function isModule({ state }: InertObject): boolean {
  return state instanceof Map && state.has('_modules') && state.has('_parameters');
}

function nameOf(key: PickleValue): string {
  if (typeof key === 'string') return key;
  return typeof key === 'number' ? String(key) : `(${kindOf(key)})`;
}

/** Whether a key or a prefix indicates a moving average. */
export function isAverage(name: string): boolean {
  return AVERAGE.test(name);
}

/** The attributes of an object that is not a module: a namespace, a data class, a UserDict. */
function attributesOf(value: PickleValue | undefined): ReadonlyMap<PickleValue, PickleValue> | undefined {
  if (!(value instanceof InertObject) || isModule(value)) return undefined;
  const { state } = value;
  // For a class with slots: (the other attributes, those in slots).
  const parts = state instanceof PickleTuple && state.items.length === 2 ? state.items : [state];
  const maps = parts.filter((part) => part instanceof Map);
  return maps.length === 0 ? undefined : new Map(maps.flatMap((part) => [...part]));
}

/** The values in a container or an object, by the names of their keys; undefined if it holds none. */
function childrenOf(
  value: PickleValue | undefined,
  attributes = true,
): Iterable<[string, PickleValue]> | undefined {
  const entries = entriesOf(value) ?? (attributes ? attributesOf(value) : undefined);
  if (entries) return [...entries].map(([key, item]) => [nameOf(key), item]);
  const list = value instanceof PickleTuple ? value.items : value;
  if (!Array.isArray(list)) return undefined;
  return list.slice(0, MAX_LIST).map((item, index) => [String(index), item]);
}

/** A dict as a state dict; undefined if it has neither tensors nor parameter names. */
function stateDictOf(keys: readonly string[], value: PickleValue): StateDict | undefined {
  const dict = entriesOf(value);
  if (!dict) return undefined;
  const entries = new Map<string, StoredTensor>();
  const others = new Map<string, string>();
  let dotted = false;
  for (const [key, item] of dict) {
    if (typeof key === 'string' && item instanceof StoredTensor) entries.set(key, item);
    else others.set(nameOf(key), kindOf(item));
    dotted ||= typeof key === 'string' && key.includes('.');
  }
  if (entries.size === 0 && !dotted) return undefined;
  const average = keys.some(isAverage);
  const usual = keys.every((key) => USUAL.test(key) || AVERAGE.test(key));
  return { path: keys.join('.'), keys, set: average ? 'model_ema' : 'model', usual, entries, others };
}

/** The state dicts in a value; `attributes`: also those in attributes of objects. */
function statesIn(path: readonly string[], root: PickleValue, attributes: boolean): StateDict[] {
  const found: StateDict[] = [];
  // Each container is visited once, however often the file refers to it.
  const seen = new Set<PickleValue>();
  const visit = (value: PickleValue, keys: readonly string[]) => {
    if (seen.has(value)) return;
    const children = childrenOf(value, attributes);
    if (!children) return;
    seen.add(value);
    const state = stateDictOf(keys, value);
    if (state) found.push(state);
    if (keys.length === MAX_DEPTH) return;
    for (const [name, child] of children) if (!TRAINING.test(name)) visit(child, [...keys, name]);
  };
  visit(root, path);
  return found;
}

/**
 * Every dict of a checkpoint that may be a state dict: trained weights before their averages, and those under the usual keys
 * before others; the state of optimisers and schedulers is not searched. With `key`, only the dict that it names.
 * @throws CheckpointError 'weights-not-found' if there is none, with a list of what there is
 */
export function stateDicts(checkpoint: Checkpoint, { weights, key }: WeightsChoice = {}): StateDict[] {
  const { root } = checkpoint;
  if (key !== undefined) return [atKey(root, key)];
  // Attributes of objects are searched only if there is nothing else: such objects are training helpers.
  let found = statesIn([], root, false);
  if (found.length === 0) found = statesIn([], root, true);
  const rank = ({ set, usual }: StateDict) => (set === 'model' ? 0 : 2) + (usual ? 0 : 1);
  if (!found.some(({ entries, others }) => entries.size + others.size > 0)) refuse(checkpoint, weights);
  return found.sort((a, b) => rank(a) - rank(b));
}

/** The dict under keys joined by dots; keys may contain dots themselves. */
function atKey(root: PickleValue, path: string): StateDict {
  const find = (value: PickleValue, rest: string, keys: readonly string[]): StateDict | undefined => {
    if (keys.length > MAX_DEPTH) return undefined;
    for (const [name, child] of childrenOf(value) ?? []) {
      const here = [...keys, name];
      const state = rest === name ? stateDictOf(here, child) : undefined;
      if (state) return state;
      const deeper = rest.startsWith(`${name}.`) ? find(child, rest.slice(name.length + 1), here) : undefined;
      if (deeper) return deeper;
    }
    return undefined;
  };
  const state = find(root, path, []);
  if (state) return state;
  throw new CheckpointError(
    'weights-not-found',
    `the checkpoint has no dict of tensors under the key ${quote(path)}: the file holds ${listKeys(root)}`,
  );
}

/** What a checkpoint contains outside a state dict: values next to it, values in it that are not tensors, and unknown objects. */
export function leftOutBeside(checkpoint: Checkpoint, { keys, others }: StateDict): IgnoredEntry[] {
  const ignored: IgnoredEntry[] = [...checkpoint.ignored];
  let value: PickleValue | undefined = checkpoint.root;
  keys.forEach((key, depth) => {
    let next: PickleValue | undefined;
    for (const [name, item] of childrenOf(value) ?? []) {
      if (name === key) next = item;
      else {
        const path = [...keys.slice(0, depth), name];
        ignored.push({ name: path.join('.'), reason: describeSibling(name, path, item) });
      }
    }
    value = next;
  });
  for (const [name, kind] of others) ignored.push({ name: [...keys, name].join('.'), reason: kind });
  const reason = 'a Python object: kept as data, never called';
  for (const name of checkpoint.inertGlobals) ignored.push({ name, reason });
  return ignored;
}

function describeSibling(name: string, path: readonly string[], value: PickleValue): string {
  const known = Object.hasOwn(TRAINING_STATE, name) ? TRAINING_STATE[name] : undefined;
  if (known !== undefined) return `${known}, not weights`;
  const [other] = TRAINING.test(name)
    ? []
    : statesIn(path, value, false).filter(({ entries }) => entries.size > 0);
  if (other !== undefined) {
    return `another set of weights (${other.entries.size} tensors), chosen with the key ${quote(other.path)}`;
  }
  return `${kindOf(value)}, not part of the weights`;
}

/** The keys of a dict, or what else the value is, for a message. */
function listKeys(value: PickleValue): string {
  const keys = [...(childrenOf(value) ?? [])].slice(0, 16).map(([name, item]) => {
    return item instanceof InertObject ? `${quote(name)} (${kindOf(item)})` : quote(name);
  });
  return entriesOf(value) ? keys.join(', ') || 'nothing' : kindOf(value);
}

/** Whether a module itself may have been saved: the root or a value in it is an object of a class. */
function holdsObjects(root: PickleValue): boolean {
  if (!entriesOf(root)) return true;
  for (const [, item] of childrenOf(root) ?? []) if (item instanceof InertObject) return true;
  return false;
}

/** @throws CheckpointError 'weights-not-found' that says what the file holds instead */
export function refuse(checkpoint: Checkpoint, weights: WeightSet | undefined): never {
  const { root } = checkpoint;
  const bare = stateDictOf([], root);
  const held =
    bare && bare.entries.size > bare.others.size
      ? `the file is one bare state dict of ${bare.entries.size} tensors`
      : `the file holds ${listKeys(root)}${holdsObjects(root) ? '; save model.state_dict() instead' : ''}`;
  const expected = weights === undefined ? 'weights' : `weights ${quote(weights)}`;
  throw new CheckpointError('weights-not-found', `the checkpoint has no ${expected}: ${held}`);
}

/** Number of tensors to name; the rest are counted. */
const LISTED = 3;

/**
 * Checks that the values of all tensors can be read.
 * @throws CheckpointError 'dtype' that names those that are sparse, quantised, without values, ..., and what to save instead
 */
export function requireReadable(tensors: ReadonlyMap<string, unknown>): void {
  const problems: string[] = [];
  for (const [name, tensor] of tensors) {
    const problem = tensor instanceof StoredTensor ? tensor.problem : undefined;
    if (problem !== undefined) problems.push(`the tensor ${quote(name)} ${problem}`);
  }
  if (problems.length === 0) return;
  const more = problems.length > LISTED ? `, and ${problems.length - LISTED} more` : '';
  throw new CheckpointError('dtype', `${problems.slice(0, LISTED).join('; ')}${more}`);
}

/**
 * A number in the configuration stored in a training checkpoint, such as `['config', 'DATA', 'IMG_SIZE']`, looked up in dicts and
 * in inert objects (first their entries, then their attributes). Undefined if there is none.
 */
export function readConfigNumber(checkpoint: Checkpoint, path: readonly string[]): number | undefined {
  const value = configValue(checkpoint, path);
  return typeof value === 'number' ? value : undefined;
}

/** A string in the configuration, looked up the same way. */
export function readConfigText(checkpoint: Checkpoint, path: readonly string[]): string | undefined {
  const value = configValue(checkpoint, path);
  return typeof value === 'string' ? value : undefined;
}

/** Any value in the configuration, looked up the same way. */
export function configValue(checkpoint: Checkpoint, path: readonly string[]): PickleValue | undefined {
  let value: PickleValue | undefined = checkpoint.root;
  for (const key of path) {
    const state: PickleValue | undefined = value instanceof InertObject ? value.state : undefined;
    const held: PickleValue | undefined = entriesOf(value)?.get(key);
    value = held ?? (state instanceof Map ? state.get(key) : undefined);
  }
  return value;
}
