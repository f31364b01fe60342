/** ADE20K's validation images and their pixel labels (`ADEChallengeData2016`). */
import { basename, extname, join } from 'node:path';
import type { Extent } from '../../plugin/image/prepare.js';
import { readClassMap } from '../images/read_class_map.js';
import { entriesOf, imagesIn } from './folder.js';

const [IMAGES, ANNOTATIONS] = [join('images', 'validation'), join('annotations', 'validation')];
/** Label of ignored pixels. */
export const NO_CLASS = -1;
/** Stored values of ignored pixels; 255 only in 8-bit files. */
const [OTHER, IGNORED] = [0, 255];
/** Top-level folder of the archive. */
const ARCHIVE = 'ADEChallengeData2016';

export interface SegmentedImages {
  /** Sorted by name. */
  readonly files: readonly string[];
  /** The folder with a PNG of the same name for each image. */
  readonly annotations: string;
}

/** @throws {Error} one line, if the folders do not exist or contain no images */
export async function openAde20k(path: string): Promise<SegmentedImages> {
  const { folders } = await entriesOf(path);
  const root = !folders.includes('images') && folders.includes(ARCHIVE) ? join(path, ARCHIVE) : path;
  const annotations = join(root, ANNOTATIONS);
  await entriesOf(annotations);
  return { files: await imagesIn(join(root, IMAGES)), annotations };
}

/** The file with the pixel labels of an image. */
export function annotationOf(image: string, annotations: string): string {
  return join(annotations, `${basename(image, extname(image))}.png`);
}

/**
 * The pixel labels of an image, from 0, and NO_CLASS for ignored pixels: labels in files start at 1, and 0 is any other class
 * (`reduce_zero_label` of mmsegmentation).
 * @param classes of the model
 * @param image the expected size of the annotation: predictions are resized to the size of the image
 * @throws {Error} one line that names the file, if it cannot be read, has another size, or a class that the model does not have
 */
export async function readAde20kClasses(file: string, classes: number, image: Extent): Promise<Int32Array> {
  const { width, height, data } = await readClassMap(file);
  if (width !== image.width || height !== image.height) {
    throw new Error(`"${file}" has ${width} x ${height} pixels, its image ${image.width} x ${image.height}`);
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
