/** A folder on disk as a `SourceDirectory`. */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import type { SourceDirectory } from '../converters/huggingface/source_directory.js';
import { type FileSource, fileSource } from './file_source.js';
import { reasonOf } from './system_error.js';

export interface OpenDirectory extends SourceDirectory {
  /** Throws `CheckpointError` if any opened file has changed since it was opened. */
  checkUnchanged(): Promise<void>;
  /** Closes every opened file. */
  close(): Promise<void>;
}

/** Weights are only ever read as numbers, wherever they are. */
const WEIGHTS = /\.(safetensors|bin|pth?|ckpt)$/i;

/**
 * A folder whose files are opened on request and stay open until `close`.
 *
 * A folder may be untrusted, and a conversion copies some of its files: a link must stay within the folder, or lead to the blobs
 * of HuggingFace's cache if the folder is one of its snapshots. Weights may be links to anywhere.
 *
 * Throws a one-line `Error` that names the folder if it does not exist; `open` throws if a file is not readable, is a link that
 * leads elsewhere, or its name is a path.
 */
export async function sourceDirectory(path: string): Promise<OpenDirectory> {
  const status = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `cannot open "${path}": ${error.code === 'ENOENT' ? 'no such directory' : reasonOf(error)}`,
    );
  });
  if (!status.isDirectory()) throw new Error(`cannot open "${path}": it is not a directory`);
  const opened = new Map<string, FileSource>();
  const folders = new Map<string, OpenDirectory>();
  const checkName = (file: string) => {
    if (file !== basename(file) || ['', '.', '..'].includes(file)) {
      throw new Error(`${path}: refused the file name ${JSON.stringify(file)}`);
    }
  };
  return {
    name: path,
    async open(file) {
      checkName(file);
      const known = opened.get(file);
      if (known) return known;
      const found = await lstat(join(path, file)).catch(() => undefined);
      if (!found) return undefined;
      if (found.isSymbolicLink()) await checkLink(path, file);
      const source = await fileSource(join(path, file));
      opened.set(file, source);
      return source;
    },
    async list() {
      const entries = await readdir(path, { withFileTypes: true });
      return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    },
    async folder(name) {
      checkName(name);
      const known = folders.get(name);
      if (known) return known;
      // To lstat a link is not a directory, and it may lead anywhere.
      const found = await lstat(join(path, name)).catch(() => undefined);
      if (!found?.isDirectory()) return undefined;
      const folder = await sourceDirectory(join(path, name));
      folders.set(name, folder);
      return folder;
    },
    async checkUnchanged() {
      for (const folder of folders.values()) await folder.checkUnchanged();
      for (const source of opened.values()) await source.checkUnchanged();
    },
    async close() {
      for (const folder of folders.values()) await folder.close();
      for (const source of opened.values()) await source.close();
      opened.clear();
    },
  };
}

/** Throws `Error` for a dangling link, or one that leads to a place which is not allowed. */
async function checkLink(folder: string, file: string): Promise<void> {
  const path = join(folder, file);
  const target = await realpath(path).catch((error) => {
    throw new Error(`cannot open "${path}": the link leads to nothing (${reasonOf(error)})`);
  });
  const real = await realpath(folder);
  // HuggingFace's cache: snapshots/REVISION/FILE -> ../../blobs/HASH.
  const isSnapshot = basename(dirname(real)) === 'snapshots';
  const allowed = isSnapshot ? [real, join(dirname(dirname(real)), 'blobs')] : [real];
  if (WEIGHTS.test(file) || allowed.some((root) => isWithin(root, target))) return;
  throw new Error(`cannot open "${path}": the link leads out of the folder; expected the file itself`);
}

function isWithin(root: string, path: string): boolean {
  const steps = relative(root, path);
  return steps !== '' && !steps.startsWith('..') && !isAbsolute(steps);
}
