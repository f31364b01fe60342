/** Picture files below a folder. */
import { opendir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { isUrl } from '../model_source.js';
import { reasonOf } from '../system_error.js';

/** What names of picture files end with. */
export const IMAGE_ENDINGS: ReadonlySet<string> = new Set(
  '.png .jpg .jpeg .webp .gif .tif .tiff .avif'.split(' '),
);

/** A picture file, or why there is none. */
export interface ImageInput {
  readonly file: string;
  readonly problem?: string;
}

export function isPictureName(name: string): boolean {
  return IMAGE_ENDINGS.has(extname(name).toLowerCase());
}

/**
 * All files below a folder that end like pictures, by path, as they are found: what is kept at a time are the names of one
 * folder and of those above it. Links to folders are not followed: they may lead in circles. A folder that cannot be read is
 * an input with its problem.
 */
export async function* picturesBelow(folder: string): AsyncGenerator<ImageInput> {
  let names: string[];
  try {
    names = await namesIn(folder);
  } catch (error) {
    yield { file: folder, problem: `cannot read the folder ${folder}: ${reasonOf(error)}` };
    return;
  }
  for (const name of names) {
    if (name.endsWith('/')) yield* picturesBelow(join(folder, name.slice(0, -1)));
    else yield { file: join(folder, name) };
  }
}

/** The pictures of a folder, and its folders with a slash behind them, in the order of their paths. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    if (entry.isDirectory()) names.push(`${entry.name}/`);
    else if (isPictureName(entry.name)) names.push(entry.name);
  }
  return names.sort();
}

/**
 * The files of {@link picturesBelow}.
 * @throws {Error} one line, when a folder cannot be read
 */
export async function pictureFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { file, problem } of picturesBelow(folder)) {
    if (problem !== undefined) throw new Error(problem);
    files.push(file);
  }
  return files;
}

/** The name of a picture's file without its ending. */
export function stemOf(picture: string): string {
  const path = isUrl(picture) ? new URL(picture).pathname : picture;
  return basename(path, extname(path)) || 'picture';
}
