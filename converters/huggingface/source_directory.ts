/** A folder of files by name, in memory, in a page's folder picker or on disk (the last is in node/). */
import { type ByteSource, blobSource, bytesSource } from '../byte_source.js';
import { ArchitectureError } from '../errors.js';
import { quote } from '../pytorch/errors.js';

/** Named files, opened on request. */
export interface SourceDirectory {
  /** Name of the folder for messages. */
  readonly name: string;
  /** Opens the file of this name; undefined if it does not exist. Names contain no path separators. */
  open(file: string): Promise<ByteSource | undefined>;
  /** Lists the folder, so that a report can name unused files; names of sub-folders end with a slash. */
  list?(): Promise<readonly string[]>;
  /** Opens the sub-folder of this name; undefined if it does not exist. */
  folder?(name: string): Promise<SourceDirectory | undefined>;
  /** Rejects if a file has changed since it was opened. Absent if files cannot change. */
  checkUnchanged?(): Promise<void>;
}

/**
 * A folder made from files: those of `<input type="file" webkitdirectory>`, or bytes by name. Files in sub-folders are only
 * accessible through `folder`.
 * @throws {ArchitectureError} if two files have the same name
 */
export function filesDirectory(
  files: Iterable<File> | ReadonlyMap<string, Blob | Uint8Array>,
  name = 'files',
): SourceDirectory {
  const all = files instanceof Map ? files : byPath(files as Iterable<File>);
  const listed = new Set<string>();
  for (const path of all.keys()) {
    const slash = path.indexOf('/');
    listed.add(slash < 0 ? path : path.slice(0, slash + 1));
  }
  return {
    name,
    async open(file) {
      const held: Blob | Uint8Array | undefined = file.includes('/') ? undefined : all.get(file);
      if (held === undefined) return undefined;
      return held instanceof Uint8Array ? bytesSource(held, file) : blobSource(held, file);
    },
    list: async () => [...listed],
    async folder(folder) {
      if (!listed.has(`${folder}/`)) return undefined;
      const below = [...all].filter(([path]) => path.startsWith(`${folder}/`));
      const inner = new Map(
        below.map(([path, held]): [string, Blob | Uint8Array] => [path.slice(folder.length + 1), held]),
      );
      return filesDirectory(inner, `${name}/${folder}`);
    },
  };
}

/** Files by path relative to the picked folder; files from elsewhere by name. */
function byPath(files: Iterable<File>): Map<string, File> {
  const named = new Map<string, File>();
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    const below = file.webkitRelativePath ? path.slice(path.indexOf('/') + 1) : path;
    if (named.has(below)) {
      throw new ArchitectureError(
        `two of the files are named ${quote(below)}; expected the files of one folder, each name once`,
      );
    }
    named.set(below, file);
  }
  return named;
}

/** Whether the input of a conversion is a folder. */
export function isSourceDirectory(input: object): input is SourceDirectory {
  return 'open' in input && typeof input.open === 'function';
}
