/** Which parameters are meant, by their names in PyTorch. */
import { quote } from '../models/checks.js';

/**
 * Names or patterns, or a function that says whether a name is meant. A text stands for the parameter or module of that
 * name: `levels.3` for all of its parameters, and not for `levels.30`.
 */
export type Selection = readonly (string | RegExp)[] | ((name: string) => boolean);

/** Whether a selection means a name. */
export function selects(selection: Selection, name: string): boolean {
  if (typeof selection === 'function') return selection(name);
  return selection.some((each) => means(each, name));
}

/**
 * @param option names the selection in errors
 * @throws {Error} when a part of the selection means none of the names, which is a mistake of its spelling
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
