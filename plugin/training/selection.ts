/** Selects parameters by PyTorch name. */
import { quote } from '../models/checks.js';

/**
 * Names or patterns, or a predicate on names. A string selects the parameter or module of that name: `levels.3` selects all
 * of its parameters, but not those of `levels.30`.
 */
export type Selection = readonly (string | RegExp)[] | ((name: string) => boolean);

/** Whether a selection contains a name. */
export function selects(selection: Selection, name: string): boolean {
  if (typeof selection === 'function') return selection(name);
  return selection.some((each) => means(each, name));
}

/**
 * @param option names the selection in errors
 * @throws {Error} if a part of the selection matches none of the names, which indicates a misspelling.
 */
export function checkSelection(selection: Selection, names: readonly string[], option: string): void {
  if (typeof selection === 'function') return;
  for (const each of selection) {
    if (names.some((name) => means(each, name))) continue;
    const shown = typeof each === 'string' ? quote(each) : String(each);
    throw new Error(
      `${option} names ${shown}, expected a parameter or module of the model, such as ${names[0] ?? 'none: it has none'}`,
    );
  }
}

function means(each: string | RegExp, name: string): boolean {
  if (typeof each !== 'string') return name.search(each) >= 0;
  return name === each || name.startsWith(`${each}.`);
}
