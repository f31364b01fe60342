/** A folder on disk as a `SourceDirectory`. */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { SourceDirectory } from '../converters/huggingface/source_directory.js';
import { type FileSource, fileSource } from './file_source.js';

export interface OpenDirectory extends SourceDirectory {
  /** Closes every file that was opened. */
  close(): Promise<void>;
}

/**
 * A folder whose files are opened when they are wanted and stay open until `close`.
 * Throws `Error`, one line that names the folder, when there is none; `open` when a file may not be read, or its name
 * is a path.
 */
export async function sourceDirectory(path: string): Promise<OpenDirectory> {
  const status = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`cannot open ${path}: ${error.code === 'ENOENT' ? 'no such directory' : error.message}`);
  });
  if (!status.isDirectory()) throw new Error(`cannot open ${path}: it is not a directory`);
  const opened = new Map<string, FileSource>();
  return {
    name: path,
    async open(file) {
      if (file !== basename(file) || ['', '.', '..'].includes(file)) {
        throw new Error(`${path}: refused the file name ${JSON.stringify(file)}`);
      }
      const known = opened.get(file);
      if (known) return known;
      const found = await stat(join(path, file)).catch(() => undefined);
      if (!found) return undefined;
      const source = await fileSource(join(path, file));
      opened.set(file, source);
      return source;
    },
    async close() {
      for (const source of opened.values()) await source.close();
      opened.clear();
    },
  };
}
