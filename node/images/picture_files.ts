/** Picture files below a folder. */
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** What names of picture files end with. */
export const IMAGE_ENDINGS: ReadonlySet<string> = new Set(
  '.png .jpg .jpeg .webp .gif .tif .tiff .avif'.split(' '),
);

/**
 * All files below a folder that end like pictures, by name. Links to folders are not followed: they may lead in circles.
 * @throws what the operating system says, when the folder cannot be read
 */
export async function pictureFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && IMAGE_ENDINGS.has(extname(entry.name).toLowerCase()))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort((a, b) => (a < b ? -1 : 1));
}
