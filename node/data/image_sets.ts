/** Image datasets on disk for training: folders of classes, idx files, CSV lists. */
import { stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { classIndices, type Examples, namesOf } from '../../plugin/training/data/examples.js';
import { readSmallFile } from '../file_source.js';
import { readImage } from '../images/read_image.js';
import { cannotOpen } from '../system_error.js';
import { parseCsv } from './csv.js';
import { entriesOf, HELD_OUT_FOLDERS, imagesIn } from './folder.js';
import { idxSets, isIdxImages, readIdxSet, withLabels } from './idx_files.js';

/** Enough for a list of several million paths. */
const MAX_CSV_BYTES = 2 ** 28;

const TRAIN_FOLDERS = ['train', 'training'];

const EXPECTED =
  'expected a folder with a folder of images for each class, a folder with idx files such as ' +
  'train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz, the former file, or a CSV file of paths and labels';

/** The data to train with. */
export interface ImageSets {
  readonly train: Examples;
  /** The held-out part, if there is one. */
  heldOut?: Examples;
}

/**
 * Reads the labels and class names of a dataset; images in folders and lists are read on request.
 * @param path a folder of classes, optionally under `train` and `val`; a folder with idx files, or the image file; a CSV file of
 * paths and labels
 * @throws {Error} one line that names the file or folder, if it is none of these or contains no images
 */
export async function openImageSets(path: string): Promise<ImageSets> {
  const status = await stat(path).catch((error) => {
    throw cannotOpen(path, error);
  });
  if (status.isDirectory()) return openFolder(path);
  if (extname(path).toLowerCase() === '.csv') return { train: await csvExamples(path) };
  if (isIdxImages(path)) return { train: await readIdxSet(await withLabels(path)) };
  throw new Error(`"${path}" is not a set of images: ${EXPECTED}`);
}

async function openFolder(path: string): Promise<ImageSets> {
  const { files, folders } = await entriesOf(path);
  const sets = await idxSets(path, files);
  if (sets) {
    return {
      train: await readIdxSet(sets.train),
      heldOut: sets.heldOut && (await readIdxSet(sets.heldOut)),
    };
  }
  const [train, heldOut] = [TRAIN_FOLDERS, HELD_OUT_FOLDERS].map((names) =>
    names.find((name) => folders.includes(name)),
  );
  if (train === undefined || heldOut === undefined) {
    if (folders.length === 0) throw new Error(`"${path}" is not a set of images: ${EXPECTED}`);
    return { train: await folderExamples(path, folders) };
  }
  const { folders: classes } = await entriesOf(join(path, train));
  return {
    train: await folderExamples(join(path, train), classes),
    heldOut: await folderExamples(join(path, heldOut), classes),
  };
}

/** @param classes in order; the folder has a subfolder for each, or for some of them */
async function folderExamples(path: string, classes: readonly string[]): Promise<Examples> {
  const { folders } = await entriesOf(path);
  const files: string[] = [];
  const labels: string[] = [];
  for (const name of folders) {
    const folder = join(path, name);
    for (const file of await imagesIn(folder)) {
      files.push(file);
      labels.push(name);
    }
  }
  if (files.length === 0) throw new Error(`"${path}" holds no folders of images, one for each class`);
  return fileExamples(path, files, classIndices(path, labels, classes), classes);
}

function fileExamples(
  name: string,
  files: readonly string[],
  labels: Int32Array,
  classNames: readonly string[] | null,
): Examples {
  return { name, labels, classNames, resizing: 'crop', image: (index) => readImage(files[index]) };
}

/**
 * Images listed in a CSV file: path and label, with or without a header line. Paths are relative to the file's folder. If all
 * labels are numbers, they are class indices; otherwise they are names, in alphabetical order.
 */
async function csvExamples(path: string): Promise<Examples> {
  const rows = parseCsv(path, await readSmallFile(path, MAX_CSV_BYTES));
  const hasHead = /^(path|file|filename|image)$/i.test(rows[0]?.fields[0].trim() ?? '');
  const listed = hasHead ? rows.slice(1) : rows;
  if (listed.length === 0) throw new Error(`${path}: no rows, expected lines of a path and a label`);
  for (const { line, fields } of listed) {
    const isPair = fields.length === 2 && fields.every((field) => field.trim() !== '');
    if (!isPair)
      throw new Error(`${path}, line ${line}: ${fields.length} fields, expected a path and a label`);
    if (fields[0].includes('\0')) throw new Error(`${path}, line ${line}: a path has no NUL character in it`);
  }
  // Treated as paths even if they look like URLs: an untrusted list must not cause network requests.
  const files = listed.map(({ fields: [file] }) => resolve(dirname(path), file.trim()));
  const labels = listed.map(({ fields: [, label] }) => label.trim());
  if (labels.every((label) => /^\d{1,6}$/.test(label))) {
    return fileExamples(path, files, Int32Array.from(labels, Number), null);
  }
  const names = namesOf(labels);
  return fileExamples(path, files, classIndices(path, labels, names), names);
}
