/** Determines which tensors of a checkpoint are the network: the state dict, and the prefix of its names. */
import type { Architecture } from './architectures/architecture.js';
import { isComplete, noReading, type Reading, readings } from './architectures/recognize.js';
import { ArchitectureError } from './errors.js';
import { unusedReason, withoutHolders, withoutWrappers } from './names.js';
import type { Checkpoint } from './pytorch/checkpoint.js';
import { quote } from './pytorch/errors.js';
import {
  isAverage,
  refuse,
  requireReadable,
  type StateDict,
  stateDicts,
  type WeightSet,
  type WeightsChoice,
} from './pytorch/state_dict.js';
import type { StoredTensor } from './pytorch/tensor.js';
import { showName } from './state_shapes.js';

/** Which weights of a checkpoint to use; by default those that form a known network. */
export interface NamesChoice extends WeightsChoice {
  /** Prefix of the parameter names, such as `model.backbone.`. */
  readonly prefix?: string;
}

/** The weights of a network in a checkpoint. */
export interface ChosenWeights<Sizes> {
  readonly dict: StateDict;
  readonly reading: Reading<Sizes, StoredTensor>;
}

/**
 * Finds the one network in a checkpoint. Trained weights are preferred to their moving average, and dicts under the usual keys to
 * others.
 * @throws {ArchitectureError} if no dict of tensors forms a network, or several do
 * @throws {CheckpointError} 'weights-not-found' if the requested set or key does not exist, 'dtype' if values cannot be read
 */
export function chooseWeights<Sizes>(
  checkpoint: Checkpoint,
  architectures: readonly Architecture<Sizes>[],
  choice: NamesChoice = {},
): ChosenWeights<Sizes> {
  const { weights, key, prefix } = choice;
  const all = stateDicts(checkpoint, choice).flatMap((dict): ChosenWeights<Sizes>[] =>
    withoutParts(readings(dict.entries, architectures, prefix)).map((reading) => ({ dict, reading })),
  );
  const complete = all.filter(({ reading }) => isComplete(reading));
  const asked = complete.filter(
    (each) => weights === undefined || key !== undefined || setOf(each) === weights,
  );
  if (asked.length === 0) {
    if (complete.length > 0) refuse(checkpoint, weights);
    return fail(checkpoint, architectures, choice, all);
  }
  const best = Math.min(...asked.map(rank));
  const [chosen, ...others] = asked.filter((each) => rank(each) === best);
  // A file may hold the same tensors under two keys.
  const rivals = others.filter(({ reading }) => !sameStorages(reading.state, chosen.reading.state));
  if (rivals.length > 0) {
    const listed = [chosen, ...rivals].slice(0, 8).map(describeChoice).join('; ');
    throw new ArchitectureError(
      `the checkpoint holds ${rivals.length + 1} networks, choose one by its key or prefix: ${listed}`,
    );
  }
  const { state } = chosen.reading;
  requireReadable(new Map([...state].filter(([name]) => unusedReason(name) === undefined)));
  return chosen;
}

/** Drops networks that are a part of another one: the backbone of a segmenter is not a classifier. */
function withoutParts<Sizes>(all: readonly Reading<Sizes, StoredTensor>[]): Reading<Sizes, StoredTensor>[] {
  return all.filter(({ architecture, state }) => {
    const tensors = new Set(state.values());
    return !all.some(
      (whole) =>
        whole.architecture.contains === architecture.family &&
        [...whole.state.values()].some((tensor) => tensors.has(tensor)),
    );
  });
}

function sameStorages(a: ReadonlyMap<string, StoredTensor>, b: ReadonlyMap<string, StoredTensor>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, { storage, offset, shape, strides }] of a) {
    const other = b.get(name);
    if (other?.storage !== storage || other.offset !== offset) return false;
    if (`${other.shape}` !== `${shape}` || `${other.strides}` !== `${strides}`) return false;
  }
  return true;
}

function setOf({ dict, reading }: ChosenWeights<unknown>): WeightSet {
  return dict.set === 'model_ema' || isAverage(reading.prefix) ? 'model_ema' : 'model';
}

function rank(each: ChosenWeights<unknown>): number {
  return (setOf(each) === 'model' ? 0 : 2) + (each.dict.usual ? 0 : 1);
}

function describeChoice({ dict, reading }: ChosenWeights<unknown>): string {
  const parts = [];
  if (dict.path !== '') parts.push(`key ${quote(dict.path)}`);
  parts.push(`prefix ${quote(reading.prefix)}`);
  return parts.join(', ');
}

/** Throws an error that says what the most likely dict lacks. */
function fail<Sizes>(
  checkpoint: Checkpoint,
  architectures: readonly Architecture<Sizes>[],
  choice: NamesChoice,
  all: readonly ChosenWeights<Sizes>[],
): never {
  const dicts = stateDicts(checkpoint, choice).filter(
    ({ set }) => choice.weights === undefined || choice.key !== undefined || set === choice.weights,
  );
  if (dicts.length === 0) refuse(checkpoint, choice.weights);
  for (const dict of dicts) refuseOtherValues(dict, architectures);
  const candidates = all.filter(({ dict }) => dicts.some(({ path }) => path === dict.path));
  const largest = dicts.reduce((a, b) => (b.entries.size > a.entries.size ? b : a));
  const dict = candidates[0]?.dict ?? largest;
  if (dict.entries.size === 0) refuse(checkpoint, choice.weights);
  const where = dict.path === '' ? '' : ` of ${quote(dict.path)}`;
  throw noReading(
    dict.entries,
    architectures,
    candidates.filter((each) => each.dict === dict).map(({ reading }) => reading),
    where,
    choice.prefix,
  );
}

/** Number of values to list; the rest are counted. */
const LISTED = 3;

/** @throws {ArchitectureError} if parameters of a network are not tensors, saying what they are */
function refuseOtherValues({ others }: StateDict, architectures: readonly Architecture<unknown>[]): void {
  const owned = [...withoutWrappers(others)].filter(([name]) =>
    architectures.some(({ owns, canonical = (name: string) => name }) => {
      const short = canonical(withoutHolders(name));
      return owns(short) && unusedReason(short) === undefined;
    }),
  );
  if (owned.length === 0) return;
  const listed = owned.slice(0, LISTED).map(([name, kind]) => `${showName(name)} is ${kind}`);
  const more = owned.length > LISTED ? ` and ${owned.length - LISTED} more` : '';
  throw new ArchitectureError(
    `${owned.length} of the weights ${owned.length === 1 ? 'is not a dense tensor' : 'are not dense tensors'}, expected tensors as ` +
      `model.state_dict() has them: ${listed.join('; ')}${more}`,
  );
}
