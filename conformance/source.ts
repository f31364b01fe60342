/** Where case files come from: a folder, a server, memory. Implemented by the runners. */
import type { ByteSource } from '../converters/byte_source.js';

export interface CaseSource {
  /** Paths of all files, relative, with forward slashes, in any order. */
  list(): Promise<readonly string[]>;
  /** @throws when there is no such file */
  open(path: string): Promise<ByteSource>;
}

/** Files held in memory. */
export function memorySource(files: ReadonlyMap<string, Uint8Array>): CaseSource {
  return {
    list: async () => [...files.keys()],
    open: async (path) => {
      const bytes = files.get(path);
      if (!bytes) throw new Error(`there is no file ${path}`);
      return {
        name: path,
        size: bytes.length,
        read: async (offset, length) => bytes.subarray(offset, offset + length),
      };
    },
  };
}

/** A file with its folder and ending taken off: `a/b/mst_x.safetensors` is `mst_x`. */
export function stem(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
}
