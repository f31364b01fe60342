/** A folder of files by name, wherever it lies: memory, a page's folder picker, a disk (node/ has that one). */
import { type ByteSource, blobSource, bytesSource } from '../byte_source.js';
import { ArchitectureError } from '../errors.js';
import { quote } from '../pytorch/errors.js';

/** Named files, opened when they are asked for. */
export interface SourceDirectory {
  /** What the folder is called in messages. */
  readonly name: string;
  /** The file of this name, or undefined where there is none. Names have no folders in them. */
  open(file: string): Promise<ByteSource | undefined>;
  /** What the folder holds, so that a report can list what was not used; a sub-folder's name ends with a slash. */
  list?(): Promise<readonly string[]>;
  /** The sub-folder of this name, or undefined where there is none. */
  folder?(name: string): Promise<SourceDirectory | undefined>;
  /** Rejects when a file that was opened is not the same any more. Absent where files cannot change. */
  checkUnchanged?(): Promise<void>;
}

/**
 * A folder made of files: those of `<input type="file" webkitdirectory>`, or bytes by name. Files of sub-folders are
 * reached through `folder` alone.
 * @throws {ArchitectureError} when two files have one name
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

/** Files by their paths below the folder that was picked; those of other origin by their names. */
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

/** Whether a conversion's input is a folder. */
export function isSourceDirectory(input: object): input is SourceDirectory {
  return 'open' in input && typeof input.open === 'function';
}
