/** Compares the tensors of a state dict with those of an architecture. */
import { nearestName, unusedReason } from './names.js';
import { quote } from './pytorch/errors.js';

/** Shapes of the tensors of a state dict. */
export type StateShapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** The entries of a module, by their names within it. @param prefix such as `backbone.` */
export function entriesIn<Entry>(state: ReadonlyMap<string, Entry>, prefix: string): Map<string, Entry> {
  const inside = [...state].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, entry]) => [name.slice(prefix.length), entry]));
}

/** How a state dict differs from an architecture. */
export interface Disagreements {
  readonly missing: readonly string[];
  /** In modules of the architecture, so that they would affect its outputs. */
  readonly unexpected: readonly string[];
  /** With a wrong shape, each described as text. */
  readonly misshapen: readonly string[];
}

/** Number of names to list for each kind of disagreement; the rest are counted, so that an error stays one readable line. */
const LISTED = 6;

/**
 * Compares every name and shape.
 * @param owns says whether a name belongs to a module of the architecture
 */
export function disagreements(
  state: StateShapes,
  expected: ReadonlyMap<string, readonly number[]>,
  owns: (name: string) => boolean,
): Disagreements {
  const misshapen: string[] = [];
  for (const [name, shape] of expected) {
    const given = state.get(name)?.shape;
    if (given && (`${given}` !== `${shape}` || given.includes(0))) {
      misshapen.push(`${name} is [${given.join(', ')}], expected [${shape.join(', ')}]`);
    }
  }
  return {
    missing: [...expected.keys()].filter((name) => !state.has(name)),
    unexpected: [...state.keys()].filter(
      (name) => !expected.has(name) && owns(name) && unusedReason(name) === undefined,
    ),
    misshapen,
  };
}

export function countDisagreements({ missing, unexpected, misshapen }: Disagreements): number {
  return missing.length + unexpected.length + misshapen.length;
}

/**
 * Disagreements on one line.
 * @param foreign names in the file outside the architecture; those similar to missing names are mentioned
 */
export function describeDisagreements(
  { missing, unexpected, misshapen }: Disagreements,
  foreign: readonly string[] = [],
): string {
  const candidates = [...unexpected, ...foreign];
  const near = (name: string): string => {
    const nearest = nearestName(name, candidates);
    return nearest === undefined ? name : `${name} (the nearest that is there: ${showName(nearest)})`;
  };
  const kinds: Record<string, readonly string[]> = {
    missing: missing.slice(0, LISTED).map(near),
    unexpected: unexpected.slice(0, LISTED).map(showName),
    'of the wrong shape': misshapen.slice(0, LISTED),
  };
  const counts = [missing.length, unexpected.length, misshapen.length];
  return Object.entries(kinds)
    .map(([kind, listed], i) => {
      const more = counts[i] > LISTED ? ` and ${counts[i] - LISTED} more` : '';
      return counts[i] > 0 ? `${counts[i]} ${kind}: ${listed.join('; ')}${more}` : '';
    })
    .filter((text) => text !== '')
    .join('. ');
}

/** A tensor's name, made safe for one line of a terminal. */
export function showName(name: string): string {
  return /^[\w.]{1,120}$/.test(name) ? name : quote(name);
}
