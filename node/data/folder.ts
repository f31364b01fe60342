/** Lists folders of images. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IMAGE_ENDINGS, imageFiles } from '../images/image_files.js';
import { reasonOf } from '../system_error.js';

/** Names of folders with held-out images, which are not trained on. */
export const HELD_OUT_FOLDERS: readonly string[] = ['val', 'valid', 'validation', 'test'];

export interface FolderEntries {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** Names, sorted, without hidden ones; links are followed. @throws {Error} one line, if it cannot be read */
export async function entriesOf(folder: string): Promise<FolderEntries> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw new Error(`cannot read the folder "${folder}": ${reasonOf(error)}`);
  });
  const [files, folders]: [string[], string[]] = [[], []];
  for (const entry of entries.filter(({ name }) => !name.startsWith('.'))) {
    const status = entry.isSymbolicLink()
      ? await stat(join(folder, entry.name)).catch(() => undefined)
      : entry;
    if (status) (status.isDirectory() ? folders : files).push(entry.name);
  }
  return { files: files.sort(), folders: folders.sort() };
}

/** All images below a folder, sorted by name. @throws {Error} one line, if it cannot be read or there are none */
export async function imagesIn(folder: string): Promise<string[]> {
  const files = await imageFiles(folder);
  if (files.length > 0) return files;
  throw new Error(`"${folder}" holds no images; expected ${[...IMAGE_ENDINGS].join(', ')}`);
}
