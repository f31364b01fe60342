/** The two idx files of a dataset such as MNIST. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Examples, idxExamples } from '../../plugin/training/data/examples.js';
import { MAX_IDX_BYTES } from '../../plugin/training/data/idx.js';
import { fileSource } from '../file_source.js';
import { cannotOpen } from '../system_error.js';
import { entriesOf } from './folder.js';

/** Names of idx files, as in MNIST. */
const IDX_IMAGES = /images[-.]idx3-ubyte(\.gz)?$/;
const [IDX_TRAIN, IDX_HELD_OUT] = [/^train-/, /^(t10k|test)-/];
/** Upper bound for the header of an idx file, in bytes. */
const HEADER_BYTES = 1024;

/** Paths of both files. */
export interface IdxPaths {
  readonly images: string;
  readonly labels: string;
}

export function isIdxImages(path: string): boolean {
  return IDX_IMAGES.test(basename(path));
}

/**
 * The datasets in a folder: one for training, and optionally a held-out one.
 * @returns undefined if there are no idx files of images
 * @throws {Error} one line, if labels are missing
 */
export async function idxSets(
  folder: string,
  files: readonly string[],
): Promise<{ readonly train: IdxPaths; readonly heldOut?: IdxPaths } | undefined> {
  const images = files.filter((name) => IDX_IMAGES.test(name));
  if (images.length === 0) return undefined;
  const train = images.find((name) => IDX_TRAIN.test(name)) ?? images[0];
  const heldOut = images.find((name) => name !== train && IDX_HELD_OUT.test(name));
  return {
    train: await withLabels(join(folder, train)),
    heldOut: heldOut === undefined ? undefined : await withLabels(join(folder, heldOut)),
  };
}

/**
 * The dataset for evaluation: the held-out one of a folder if there is one, or the given image file, with the labels given or
 * beside it.
 * @throws {Error} one line, if there is none
 */
export async function evaluatedIdxSet([path, labels]: readonly string[]): Promise<IdxPaths> {
  if (labels !== undefined) return { images: path, labels };
  const status = await stat(path).catch((error) => {
    throw cannotOpen(path, error);
  });
  if (!status.isDirectory()) return withLabels(path);
  const sets = await idxSets(path, (await entriesOf(path)).files);
  if (!sets) throw new Error(`"${path}" holds no idx file of images, such as t10k-images-idx3-ubyte.gz`);
  return sets.heldOut ?? sets.train;
}

/** Finds the label file, which is in the same folder as the image file and named accordingly; either may be compressed. */
export async function withLabels(images: string): Promise<IdxPaths> {
  const plain = basename(images)
    .replace(/\.gz$/, '')
    .replace(/images([-.])idx3/, 'labels$1idx1');
  const beside = [plain, `${plain}.gz`];
  const { files } = await entriesOf(dirname(images));
  const labels = beside.find((name) => files.includes(name));
  if (labels === undefined) throw new Error(`${images}: the labels ${beside.join(' or ')} are not beside it`);
  return { images, labels: join(dirname(images), labels) };
}

/** @throws {Error} one line that names the file, as `idxExamples` does, or if one cannot be read or is too large */
export async function readIdxSet({ images, labels }: IdxPaths): Promise<Examples> {
  return idxExamples({
    images: { name: images, bytes: await readWhole(images) },
    labels: { name: labels, bytes: await readWhole(labels) },
  });
}

async function readWhole(path: string): Promise<Uint8Array> {
  const source = await fileSource(path);
  try {
    if (source.size > MAX_IDX_BYTES + HEADER_BYTES) {
      throw new Error(`"${path}" has ${source.size} bytes; at most ${MAX_IDX_BYTES} values are read`);
    }
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}
