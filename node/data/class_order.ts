/** Maps the classes of a dataset to those of a model. */
import { IMAGENET_CLASSES } from '../../converters/architectures/grootv/imagenet_classes.js';
import { quote } from '../../plugin/models/checks.js';
import { readSmallFile } from '../file_source.js';

/** Number of classes of a model, and their names if known. */
export interface ModelClasses {
  readonly count: number;
  readonly names: readonly string[] | null;
}

/** The model's class for each class of the dataset, and how the mapping was determined. */
export interface ClassOrder {
  readonly indices: ReadonlyMap<string, number>;
  /** Text for the user, shown with the results. */
  readonly statement: string;
}

/** A file that maps classes: one per line, in the model's order. */
export interface ClassList {
  readonly file: string;
  readonly names: readonly string[];
  /** The words after a WordNet synset's name; empty if there are none. */
  readonly words: readonly string[];
}

/** Names of ImageNet's folders: WordNet ids. */
const SYNSET = /^n\d{8}$/;
/** First and last id of ILSVRC-2012, in alphabetical order: the classes of a model with 1000 classes. */
const [FIRST_SYNSET, LAST_SYNSET] = ['n01440764', 'n15075141'];
const MAX_LIST_BYTES = 2 ** 24;

export function isSynset(name: string): boolean {
  return SYNSET.test(name);
}

/**
 * Reads a file such as `LOC_synset_mapping.txt`, with one class per line: the name of its folder; words after a WordNet id are a
 * readable name.
 * @throws {Error} one line, if it cannot be read, or a name occurs twice
 */
export async function readClassList(file: string): Promise<ClassList> {
  const text = await readSmallFile(file, MAX_LIST_BYTES);
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const rows = lines.map((line) => line.trim()).filter((line) => line !== '');
  const parts = rows.map((row) => /^(n\d{8})\s+(.*)$/.exec(row)?.slice(1) ?? [row, '']);
  const names = parts.map(([name]) => name);
  const seen = new Set<string>();
  const again = names.find((name) => seen.size === seen.add(name).size);
  if (again !== undefined) throw new Error(`${file}: the class ${quote(again)} is listed twice`);
  return { file, names, words: parts.map(([, words]) => words) };
}

/**
 * Maps the classes of a dataset by a list, by the model's class names, or by their order if that is known.
 * @param set that the classes belong to, for errors
 * @param found unique class names in the dataset
 * @throws {Error} one line, if the mapping cannot be determined
 */
export function classOrder(
  set: string,
  found: readonly string[],
  model: ModelClasses,
  list?: ClassList,
): ClassOrder {
  if (list) return listedOrder(set, found, model, list);
  const { count, names } = model;
  const named = indicesOf(names ?? []);
  const unknown = found.find((name) => !named.has(name));
  if (unknown === undefined) return { indices: named, statement: 'classes by the names of the model' };
  const sorted = [...found].sort();
  const hasImageNetNames = names === null || String(names) === String(IMAGENET_CLASSES);
  if (hasImageNetNames && found.length === count && found.every(isSynset)) {
    const isWhole = sorted[0] === FIRST_SYNSET && sorted[count - 1] === LAST_SYNSET;
    if (count !== IMAGENET_CLASSES.length || isWhole) {
      const what = names === null ? 'the model names none' : "the model's names are ImageNet's in that order";
      return { indices: indicesOf(sorted), statement: `classes in the order of their WordNet ids; ${what}` };
    }
  }
  if (names === null && found.length === count) {
    return { indices: indicesOf(sorted), statement: 'classes in alphabetical order; the model names none' };
  }
  const why = names ? `the model has no class ${quote(unknown)}` : `the model has ${count} classes`;
  throw new Error(
    `${set} has ${found.length} classes, ${why}: --class-order FILE lists the classes in the model's order`,
  );
}

function listedOrder(
  set: string,
  found: readonly string[],
  { count, names }: ModelClasses,
  list: ClassList,
): ClassOrder {
  if (list.names.length !== count) {
    throw new Error(`${list.file} lists ${list.names.length} classes, the model has ${count}`);
  }
  const indices = indicesOf(list.names);
  const unknown = found.find((name) => !indices.has(name));
  if (unknown !== undefined) throw new Error(`${set}: the class ${quote(unknown)} is not in ${list.file}`);
  const other = names?.findIndex((name, i) => !isSame(name, list.names[i], list.words[i])) ?? -1;
  if (names && other >= 0) {
    const listed = list.words[other] || list.names[other];
    throw new Error(
      `${list.file}: class ${other} is ${quote(listed)}, the model's is ${quote(names[other])}`,
    );
  }
  const checked = names ? 'checked against the names of the model' : 'the model names none';
  return { indices, statement: `classes in the order of ${list.file}, ${checked}` };
}

/** Lists give all words for a class, models often only the first; a WordNet id alone has none. */
function isSame(name: string, listed: string, words: string): boolean {
  if (name === listed || (words === '' && isSynset(listed))) return true;
  const of = (text: string) => text.toLowerCase().split(/,\s*/);
  const known = new Set(of(words || listed));
  return of(name).some((word) => known.has(word));
}

function indicesOf(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, i) => [name, i]));
}
