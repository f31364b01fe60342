/** A folder of files by name, wherever it lies: memory, a page's folder picker, a disk (node/ has that one). */
import { type ByteSource, blobSource, bytesSource } from '../byte_source.js';

/** Named files, opened when they are wanted. */
export interface SourceDirectory {
  /** What the folder is called in messages. */
  readonly name: string;
  /** The file of this name, or undefined where there is none. Names have no folders in them. */
  open(file: string): Promise<ByteSource | undefined>;
}

/** A folder made of files: those of `<input type="file" webkitdirectory>`, or bytes by name. */
export function filesDirectory(
  files: Iterable<File> | ReadonlyMap<string, Blob | Uint8Array>,
  name = 'files',
): SourceDirectory {
  const named =
    files instanceof Map ? files : new Map([...(files as Iterable<File>)].map((file) => [file.name, file]));
  return {
    name,
    async open(file) {
      const held: Blob | Uint8Array | undefined = named.get(file);
      if (held === undefined) return undefined;
      return held instanceof Uint8Array ? bytesSource(held, file) : blobSource(held, file);
    },
  };
}

/** Whether a conversion's input is a folder. */
export function isSourceDirectory(input: object): input is SourceDirectory {
  return 'open' in input && typeof input.open === 'function';
}
