/** The tensors of a state dict against those that an architecture has. */
import { quote } from './pytorch/errors.js';

/** Shapes of the tensors of a state dict. */
export type StateShapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Names listed of each kind of disagreement before the rest is only counted: an error stays one readable line. */
const LISTED = 6;

/**
 * What is missing, unexpected or of the wrong shape, on one line; undefined when everything fits.
 * @param mayBeThere says which tensors may be there though nothing needs them
 */
export function disagreements(
  state: StateShapes,
  expected: ReadonlyMap<string, readonly number[]>,
  mayBeThere: (name: string) => boolean,
): string | undefined {
  const missing = [...expected.keys()].filter((name) => !state.has(name));
  const unexpected = [...state.keys()].filter((name) => !expected.has(name) && !mayBeThere(name));
  const wrong: string[] = [];
  for (const [name, wanted] of expected) {
    const shape = state.get(name)?.shape;
    if (shape && (`${shape}` !== `${wanted}` || shape.includes(0))) {
      wrong.push(`${name} is [${shape.join(', ')}], wanted [${wanted.join(', ')}]`);
    }
  }
  const text = Object.entries({ missing, unexpected: unexpected.map(showName), 'of the wrong shape': wrong })
    .filter(([, names]) => names.length > 0)
    .map(([kind, names]) => {
      const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
      return `${names.length} ${kind}: ${names.slice(0, LISTED).join('; ')}${more}`;
    });
  return text.length > 0 ? text.join('. ') : undefined;
}

/** A tensor's name, fit for one line of a terminal whatever the file says. */
export function showName(name: string): string {
  return /^[\w.]{1,120}$/.test(name) ? name : quote(name);
}
