/** ADE20K's validation pictures, and the classes of their pixels (`ADEChallengeData2016`). */
import { basename, extname, join } from 'node:path';
import type { Extent } from '../../plugin/image/prepare.js';
import { readClassMap } from '../images/read_class_map.js';
import { entriesOf, picturesIn } from './folder.js';

const [PICTURES, ANNOTATIONS] = [join('images', 'validation'), join('annotations', 'validation')];
/** Of pixels that do not count. */
export const NO_CLASS = -1;
/** Values of pixels that do not count, of which 255 is one in files of 8 bits. */
const [OTHER, IGNORED] = [0, 255];
/** The archive's own folder. */
const ARCHIVE = 'ADEChallengeData2016';

export interface SegmentedPictures {
  /** By name. */
  readonly files: readonly string[];
  /** The folder with a PNG for each, of the same name. */
  readonly annotations: string;
}

/** @throws {Error} one line, when the folders are not there or hold no pictures */
export async function openAde20k(path: string): Promise<SegmentedPictures> {
  const { folders } = await entriesOf(path);
  const root = !folders.includes('images') && folders.includes(ARCHIVE) ? join(path, ARCHIVE) : path;
  const annotations = join(root, ANNOTATIONS);
  await entriesOf(annotations);
  return { files: await picturesIn(join(root, PICTURES)), annotations };
}

/** Where the classes of a picture's pixels are. */
export function annotationOf(picture: string, annotations: string): string {
  return join(annotations, `${basename(picture, extname(picture))}.png`);
}

/**
 * The classes of a picture's pixels, from 0, with NO_CLASS where they do not count: the files count from 1, and 0 is any other
 * class (`reduce_zero_label` of mmsegmentation).
 * @param classes of the model
 * @param picture the size that the annotation has to have: predictions are resized to that of the picture
 * @throws {Error} one line that names the file, when it cannot be read, has another size, or a class that the model does not have
 */
export async function readAde20kClasses(file: string, classes: number, picture: Extent): Promise<Int32Array> {
  const { width, height, data } = await readClassMap(file);
  if (width !== picture.width || height !== picture.height) {
    throw new Error(
      `${file} has ${width} x ${height} pixels, its picture ${picture.width} x ${picture.height}`,
    );
  }
  const ignored = data instanceof Uint8Array ? IGNORED : OTHER;
  const reduced = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (value > classes && value !== ignored) {
      throw new Error(`${file}: pixel ${i} is of class ${value}, the model has ${classes} classes`);
    }
    reduced[i] = value === OTHER || value === ignored ? NO_CLASS : value - 1;
  }
  return reduced;
}
