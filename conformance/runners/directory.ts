/** A folder of case files on disk. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { bytesSource } from '../../converters/byte_source.js';
import type { CaseSource } from '../source.js';

/** Every file below `path`. @throws {Error} one line, when it is no folder that can be read */
export function directorySource(path: string): CaseSource {
  return {
    list: async () => {
      const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(
        (error: NodeJS.ErrnoException) => {
          throw new Error(
            `cannot read the folder ${path}: ${error.code === 'ENOENT' ? 'it does not exist' : error.message}`,
          );
        },
      );
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) =>
          relative(path, join(entry.parentPath ?? entry.path, entry.name))
            .split(sep)
            .join('/'),
        );
    },
    // Files of cases are small, and read whole anyway: nothing is left open.
    open: async (file) => bytesSource(await readFile(join(path, file)), file),
  };
}
