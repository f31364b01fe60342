/** Labelled images on disk for evaluating classifiers: folders of classes, and ImageNet's layouts. */
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { quote } from '../../plugin/models/checks.js';
import { readSmallFile } from '../file_source.js';
import { IMAGE_ENDINGS } from '../images/image_files.js';
import { type ClassList, classOrder, isSynset, type ModelClasses } from './class_order.js';
import { parseCsv } from './csv.js';
import { entriesOf, type FolderEntries, HELD_OUT_FOLDERS, imagesIn } from './folder.js';

/** An image and its class in the model. */
export interface LabelledImage {
  readonly file: string;
  readonly label: number;
}

export interface LabelledImages {
  readonly images: readonly LabelledImage[];
  /** How the mapping of classes was determined. */
  readonly order: string;
}

/** Published label lists beside or above a flat folder of ImageNet's images. */
const TRUTH_FILES = [
  'LOC_val_solution.csv',
  'val_map.txt',
  'val.txt',
  'imagenet_2012_validation_synset_labels.txt',
  'ILSVRC2012_validation_synset_labels.txt',
];
const MAX_LIST_BYTES = 2 ** 28;

/**
 * Images in a folder per class, optionally below `val` or another of HELD_OUT_FOLDERS. The first image of every class is followed
 * by the second of every class, and so on, so that a prefix is a balanced sample.
 * @throws {Error} one line, if there are none, or the mapping of classes cannot be determined
 */
export async function labelledFolders(
  path: string,
  model: ModelClasses,
  list?: ClassList,
): Promise<LabelledImages> {
  const { folder, folders } = await heldOutFolder(path);
  if (folders.length === 0) {
    throw new Error(`"${folder}" holds no folders of images, one for each class`);
  }
  const { indices, statement } = classOrder(folder, folders, model, list);
  const classes = await Promise.all(
    folders.map(async (name) => ({
      label: indices.get(name) as number,
      files: await imagesIn(join(folder, name)),
    })),
  );
  const most = classes.reduce((most, { files }) => Math.max(most, files.length), 0);
  const images: LabelledImage[] = [];
  for (let i = 0; i < most; i++) {
    for (const { label, files } of classes) if (i < files.length) images.push({ file: files[i], label });
  }
  return { images, order: statement };
}

/**
 * ImageNet's validation images: `val/<WordNet id>/*.JPEG`, or all in one folder with a list of their labels.
 * @param truth the list: lines with a file and its WordNet id or class index (from 0, in alphabetical order of the ids), or with
 * WordNet ids only, in the order of the file names; or Kaggle's CSV. By default one of the published names beside or above the
 * images
 * @throws {Error} one line that names the file and the place in it
 */
export async function imageNetImages(
  path: string,
  model: ModelClasses,
  { truth, list }: { readonly truth?: string; readonly list?: ClassList } = {},
): Promise<LabelledImages> {
  const { folder, folders, files } = await heldOutFolder(path);
  if (folders.some(isSynset) && truth === undefined) return labelledFolders(path, model, list);
  const names = files.filter((name) => IMAGE_ENDINGS.has(extname(name).toLowerCase()));
  if (names.length === 0) {
    throw new Error(
      `"${folder}" holds neither folders named after WordNet ids, such as n01440764, nor images`,
    );
  }
  const source = truth ?? (await publishedTruth(folder));
  const rows = await readTruth(source, names);
  const synsets = [...new Set(rows.flatMap(({ name }) => (typeof name === 'string' ? [name] : [])))];
  if (synsets.length === 0) {
    const images = rows.map(({ file, name }) => ({ file: join(folder, file), label: name as number }));
    checkIndices(source, images, model);
    return { images, order: `classes as ${source} numbers them, from 0` };
  }
  const { indices, statement } = classOrder(source, synsets, model, list);
  const images = rows.map(({ file, name }) => ({
    file: join(folder, file),
    label: indices.get(name as string) as number,
  }));
  return { images, order: statement };
}

/** The folder itself, or its subfolder with the held-out images. */
async function heldOutFolder(path: string): Promise<FolderEntries & { readonly folder: string }> {
  const own = await entriesOf(path);
  const below = HELD_OUT_FOLDERS.find((name) => own.folders.includes(name));
  const folder = below === undefined ? path : join(path, below);
  return { folder, ...(below === undefined ? own : await entriesOf(folder)) };
}

async function publishedTruth(folder: string): Promise<string> {
  for (const place of [folder, dirname(folder)]) {
    for (const name of TRUTH_FILES) {
      const file = join(place, name);
      if (await stat(file).catch(() => undefined)) return file;
    }
  }
  throw new Error(
    `"${folder}" holds images without their classes: --ground-truth FILE, or ${TRUTH_FILES.slice(0, 3).join(', ')} beside or above them`,
  );
}

/** An image file and its WordNet id or class index. */
interface Truth {
  readonly file: string;
  readonly name: string | number;
}

async function readTruth(source: string, files: readonly string[]): Promise<Truth[]> {
  const text = await readSmallFile(source, MAX_LIST_BYTES);
  const rows = /\.csv$/i.test(source) ? fromCsv(source, text) : fromLines(source, text, files);
  const first = rows[0];
  if (!first) throw new Error(`${source}: no lines, expected images and their classes`);
  const known = new Map(files.map((file) => [stemOf(file), file]));
  const seen = new Set<string>();
  return rows.map(({ line, file, name }) => {
    // A missing image counts as a bad input among good ones. Its folder is the given one, whatever the list says.
    const found = known.get(stemOf(file)) ?? basename(file);
    if (seen.has(found)) throw new Error(`${source}, line ${line}: ${quote(file)} is listed twice`);
    if (typeof name !== typeof first.name) {
      throw new Error(`${source}, line ${line}: WordNet ids and numbers, expected one of them`);
    }
    seen.add(found);
    return { file: found, name };
  });
}

type Row = Truth & { readonly line: number };

/** Kaggle's list: the name of an image, and its WordNet id followed by the corners of boxes. */
function fromCsv(source: string, text: string): Row[] {
  return parseCsv(source, text)
    .slice(1)
    .map(({ line, fields: [file, prediction = ''] }) => ({
      line,
      file,
      name: classOf(source, line, prediction),
    }));
}

function fromLines(source: string, text: string, files: readonly string[]): Row[] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line: i + 1, words: line.trim().split(/\s+/) }));
  const filled = lines.filter(({ words }) => words[0] !== '');
  if (filled.some(({ words }) => words.length > 1)) {
    return filled.map(({ line, words }) => ({
      line,
      file: words[0],
      name: classOf(source, line, words[1] ?? ''),
    }));
  }
  const number = filled.find(({ words: [name] }) => !isSynset(name));
  if (number) {
    throw new Error(
      `${source}, line ${number.line}: ${quote(number.words[0])}, expected a WordNet id such as n01440764 (numbers alone are ` +
        "the development kit's ids, whose order is not that of the classes)",
    );
  }
  if (filled.length !== files.length) {
    throw new Error(`"${source}" has ${filled.length} lines, there are ${files.length} images`);
  }
  return filled.map(({ line, words: [name] }, i) => ({ line, file: files[i], name }));
}

function classOf(source: string, line: number, text: string): string | number {
  const [word] = text.trim().split(/\s+/);
  if (isSynset(word)) return word;
  if (/^\d{1,6}$/.test(word)) return Number(word);
  throw new Error(
    `${source}, line ${line}: the class is ${quote(word)}, expected a WordNet id such as n01440764 or a number`,
  );
}

/** A file name without folders and extension. */
function stemOf(file: string): string {
  return basename(file).replace(/\.[a-z]+$/i, '');
}

function checkIndices(source: string, images: readonly LabelledImage[], { count }: ModelClasses): void {
  const wrong = images.find(({ label }) => label >= count);
  if (wrong) {
    throw new Error(
      `${source}: ${basename(wrong.file)} is of class ${wrong.label}, the model has ${count} classes`,
    );
  }
}
