/** Image files below a folder. */
import { opendir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { isUrl } from '../model_source.js';
import { reasonOf } from '../system_error.js';

/** Extensions of image files. */
export const IMAGE_ENDINGS: ReadonlySet<string> = new Set(
  '.png .jpg .jpeg .webp .gif .tif .tiff .avif'.split(' '),
);

/** An image file, or the reason why there is none. */
export interface ImageInput {
  readonly file: string;
  readonly problem?: string;
}

export function isImageName(name: string): boolean {
  return IMAGE_ENDINGS.has(extname(name).toLowerCase());
}

/**
 * All files below a folder with an image extension, sorted by path, as they are found: only the names in one folder and its
 * ancestors are in memory at a time. Links to folders are not followed, as they may form cycles. A folder that cannot be read
 * gives an input with its problem.
 */
export async function* imagesBelow(folder: string): AsyncGenerator<ImageInput> {
  let names: string[];
  try {
    names = await namesIn(folder);
  } catch (error) {
    yield { file: folder, problem: `cannot read the folder "${folder}": ${reasonOf(error)}` };
    return;
  }
  for (const name of names) {
    if (name.endsWith('/')) yield* imagesBelow(join(folder, name.slice(0, -1)));
    else yield { file: join(folder, name) };
  }
}

/** The images in a folder, and its subfolders with a trailing slash, sorted by path. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    if (entry.isDirectory()) names.push(`${entry.name}/`);
    else if (isImageName(entry.name)) names.push(entry.name);
  }
  return names.sort();
}

/**
 * The files of {@link imagesBelow}.
 * @throws {Error} one line, if a folder cannot be read
 */
export async function imageFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { file, problem } of imagesBelow(folder)) {
    if (problem !== undefined) throw new Error(problem);
    files.push(file);
  }
  return files;
}

/** The name of an image file without its extension. */
export function stemOf(image: string): string {
  const path = isUrl(image) ? new URL(image).pathname : image;
  return basename(path, extname(path)) || 'image';
}
