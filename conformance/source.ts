/** Sources of case files: a folder, a server, memory. Implemented by the runners. */
import type { ByteSource } from '../converters/byte_source.js';

export interface CaseSource {
  /** Relative paths of all files, with forward slashes, in any order. */
  list(): Promise<readonly string[]>;
  /** @throws if the file does not exist */
  open(path: string): Promise<ByteSource>;
}

/** Files in memory. */
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

/** A file name without folder and extension: `a/b/mst_x.safetensors` gives `mst_x`. */
export function stem(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
}
