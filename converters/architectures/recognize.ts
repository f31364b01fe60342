/** Determines which network a state dict holds, and the prefix of its parameter names. */
import { ArchitectureError } from '../errors.js';
import { nearestName, unusedReason, withoutHolders, withoutShared, withoutWrappers } from '../names.js';
import type { Parameter } from '../parameters.js';
import { quote } from '../pytorch/errors.js';
import type { IgnoredEntry } from '../pytorch/state_dict.js';
import { countDisagreements, type Disagreements, describeDisagreements, showName } from '../state_shapes.js';
import type { Architecture } from './architecture.js';

/** A state dict interpreted as a network under one prefix. */
export interface Reading<Sizes, Tensor> {
  readonly architecture: Architecture<Sizes>;
  readonly sizes: Sizes;
  readonly differences: Disagreements;
  /** Removed from the names; '' if none. */
  readonly prefix: string;
  /** Tensors by the parameter names of the architecture. */
  readonly state: ReadonlyMap<string, Tensor>;
  /** Names in the file that do not belong to the architecture. */
  readonly foreign: readonly string[];
  readonly leftOut: readonly IgnoredEntry[];
}

/** Maximum number of prefixes to try. A checkpoint of several networks has a handful. */
const MAX_PREFIXES = 64;

/**
 * Every way to interpret a state dict as one of the architectures, best fit first. Segments added by wrappers (`module.`,
 * `_orig_mod.`) are removed wherever they occur; what then precedes the anchors is the prefix. A parameter outside the prefix,
 * such as a head next to `backbone.`, belongs to the network if it fits.
 * @param prefix the only prefix to try
 */
export function readings<Sizes, Tensor extends Parameter>(
  entries: ReadonlyMap<string, Tensor>,
  architectures: readonly Architecture<Sizes>[],
  prefix?: string,
): Reading<Sizes, Tensor>[] {
  const plain = withoutWrappers(entries);
  const found: Reading<Sizes, Tensor>[] = [];
  for (const architecture of architectures) {
    const prefixes = prefix === undefined ? prefixesOf(plain.keys(), architecture) : [withDot(prefix)];
    for (const each of prefixes) {
      // A prefix given by the caller may include segments of wrappers.
      const names = prefix !== undefined && !hasPrefix(plain, each) ? entries : plain;
      const reading = hasPrefix(names, each) ? bestReading(names, architecture, each) : undefined;
      if (reading && !found.some((other) => isSame(other, reading))) found.push(reading);
    }
  }
  return found.sort((a, b) => countDisagreements(a.differences) - countDisagreements(b.differences));
}

export function isComplete({ differences }: Reading<unknown, Parameter>): boolean {
  return countDisagreements(differences) === 0;
}

function withDot(prefix: string): string {
  return prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
}

function hasPrefix(entries: ReadonlyMap<string, unknown>, prefix: string): boolean {
  for (const name of entries.keys()) if (name.startsWith(prefix)) return true;
  return false;
}

/** Whether two readings are of the same network: if `backbone.` precedes only some of the names, both prefixes find it. */
function isSame<Tensor>(a: Reading<unknown, Tensor>, b: Reading<unknown, Tensor>): boolean {
  return a.architecture.family === b.architecture.family && sameTensors(a.state, b.state);
}

function sameTensors(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, tensor] of a) if (b.get(name) !== tensor) return false;
  return true;
}

/** The prefixes before the anchors, the shortest first. */
function prefixesOf(names: Iterable<string>, { anchors }: Architecture<unknown>): string[] {
  const prefixes = new Set<string>();
  for (const name of names) {
    for (const anchor of anchors) {
      const at = name.startsWith(anchor) ? 0 : name.indexOf(`.${anchor}`) + 1;
      if (at > 0 || name.startsWith(anchor)) prefixes.add(name.slice(0, at));
    }
    if (prefixes.size >= MAX_PREFIXES) break;
  }
  return [...prefixes].sort((a, b) => a.length - b.length);
}

/** With or without the parameters outside the prefix that may belong to the network, whichever fits better. */
function bestReading<Sizes, Tensor extends Parameter>(
  entries: ReadonlyMap<string, Tensor>,
  architecture: Architecture<Sizes>,
  prefix: string,
): Reading<Sizes, Tensor> | undefined {
  const { family, canonical = (name: string) => name, owns, whyLeftOut } = architecture;
  const inside = new Map<string, Tensor>();
  const others: string[] = [];
  for (const [name, tensor] of entries) {
    const short = name.startsWith(prefix) ? canonical(name.slice(prefix.length)) : undefined;
    if (short !== undefined && owns(short) && !inside.has(short)) inside.set(short, tensor);
    else others.push(name);
  }
  const joined = new Map<string, string>();
  for (const name of others) {
    const short = canonical(withoutHolders(withoutShared(name, prefix)));
    if (owns(short) && !inside.has(short) && !joined.has(short)) joined.set(short, name);
  }
  const read = (more: ReadonlyMap<string, string>): Reading<Sizes, Tensor> | undefined => {
    const state = new Map(inside);
    for (const [short, name] of more) state.set(short, entries.get(name) as Tensor);
    const fit = architecture.fit(state);
    if (!fit) return undefined;
    const used = new Set(more.values());
    const unused = [...state.keys()].filter((name) => unusedReason(name) !== undefined);
    const foreign = others.filter((name) => !used.has(name));
    const leftOut = [...unused, ...foreign].map((name) => ({
      name,
      reason: unusedReason(name) ?? whyLeftOut?.(withoutHolders(name)) ?? `not part of ${family}`,
    }));
    return { architecture, ...fit, prefix, state, foreign, leftOut };
  };
  const alone = read(new Map());
  const whole = joined.size > 0 ? read(joined) : undefined;
  if (!alone || !whole) return whole ?? alone;
  return countDisagreements(whole.differences) <= countDisagreements(alone.differences) ? whole : alone;
}

/**
 * The error for a state dict that does not completely match any architecture.
 * @param where the key of the state dict, as ` of "model"`
 */
export function noReading(
  entries: ReadonlyMap<string, Parameter>,
  architectures: readonly Architecture<unknown>[],
  [nearest, ...others]: readonly Reading<unknown, Parameter>[],
  where: string,
  prefix?: string,
): ArchitectureError {
  if (nearest) {
    const { architecture, sizes, differences, foreign } = nearest;
    const under = nearest.prefix === '' ? '' : ` under ${quote(nearest.prefix)}`;
    const tried = others.map((other) => quote(other.prefix)).slice(0, 6);
    const more = tried.length > 0 ? `. Other prefixes tried: ${tried.join(', ')}` : '';
    return new ArchitectureError(
      `the tensors${where}${under} do not make ${architecture.describe(sizes)}: ` +
        `${describeDisagreements(differences, foreign)}${more}`,
    );
  }
  const names = [...entries.keys()];
  // A network that contains another has that one's names too, so the error is about the simplest networks.
  const simplest = architectures.filter(({ contains }) => contains === undefined);
  const named = simplest.length > 0 ? simplest : architectures;
  const titles = named.map(({ title }) => title).join(' or ');
  const anchors = named.flatMap(({ anchors }) => anchors);
  const missing = named.map(({ anchors }) =>
    anchors.map((anchor) => (anchor.endsWith('.') ? `${anchor}*` : anchor)).join(' and '),
  );
  const near = anchors.map((anchor) => nearestName(anchor, names)).find((name) => name !== undefined);
  const listed = near === undefined ? names.slice(0, 3) : [near, ...names.filter((name) => name !== near)];
  const some = listed.slice(0, 3).map(showName).join(', ');
  return new ArchitectureError(
    `this is not a ${titles}: no ${missing.join(', no ')}` +
      `${prefix === undefined ? ', under any prefix,' : ` under the prefix ${quote(prefix)}`} ` +
      `among its ${entries.size} tensors${where} (${some}${entries.size > 3 ? ', ...' : ''})`,
  );
}
