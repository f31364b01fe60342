/** A folder of case files on disk. */
import type { Dirent } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesSource } from '../../converters/byte_source.js';
import type { CaseSource } from '../source.js';

/**
 * All files below `path`, following links. A subfolder that cannot be listed is returned as a path with a trailing slash that
 * cannot be opened, so that its files are not silently missing. @throws {Error} one line, from `list`, if `path` itself is not a
 * readable folder
 */
export function directorySource(path: string): CaseSource {
  return {
    list: async () => {
      const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
        throw new Error(`cannot read the folder "${path}": ${WHY[error.code ?? ''] ?? error.message}`);
      });
      return filesOf(path, '', entries, new Set([await realpath(path)]));
    },
    // Case files are small, and read completely anyway: no file stays open.
    open: async (file) => {
      const found = await stat(join(path, file)).catch((error: NodeJS.ErrnoException) => {
        throw new Error(`cannot read "${file}": ${WHY[error.code ?? ''] ?? error.message}`);
      });
      if (found.isDirectory()) await readdir(join(path, file));
      // Reading a pipe or a device might never end.
      if (!found.isFile()) throw new Error(`cannot read "${file}": it is not a regular file`);
      return bytesSource(await readFile(join(path, file)), file);
    },
  };
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it is a file',
  EACCES: 'permission denied',
};

/** Paths of the files below a folder, relative to `root`. Each folder is visited once, however many links lead to it. */
async function filesOf(
  root: string,
  below: string,
  entries: readonly Dirent[],
  seen: Set<string>,
): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of entries) {
    const name = `${below}${entry.name}`;
    const path = join(root, name);
    const isFolder = entry.isSymbolicLink()
      ? await stat(path).then(
          (target) => target.isDirectory(),
          () => false, // a dangling link: opening it gives the error
        )
      : entry.isDirectory();
    if (!isFolder) {
      paths.push(name);
      continue;
    }
    const real = await realpath(path);
    if (seen.has(real)) continue;
    seen.add(real);
    const inside = await readdir(path, { withFileTypes: true }).catch(() => undefined);
    paths.push(...(inside ? await filesOf(root, `${name}/`, inside, seen) : [`${name}/`]));
  }
  return paths;
}
