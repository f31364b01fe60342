/** Where the files of a converted language model are: its graph, its shards, and what lies beside them. */
import type { io } from '@tensorflow/tfjs-core';

/** A folder with a model: an IOHandler that also reads what lies beside model.json. In Node `fileSystem(dir)` is one. */
export interface ModelFolder extends io.IOHandler {
  /** The text of a file beside model.json, or undefined where there is none. */
  readText(file: string): Promise<string | undefined>;
}

/** Model.json for tfjs, and the files beside it. */
export interface ModelFiles {
  readonly model: string | io.IOHandler;
  readText(file: string): Promise<string | undefined>;
}

/** The files of a folder, or at the URL of a model.json. */
export function modelFiles(source: string | ModelFolder): ModelFiles {
  if (typeof source !== 'string') return { model: source, readText: (file) => source.readText(file) };
  const [, folder, query = ''] = /^([^?#]*?)[^/?#]*(\?[^#]*)?(?:#.*)?$/.exec(source) ?? [];
  return {
    model: source,
    async readText(file) {
      const response = await fetch(`${folder}${file}${query}`);
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`${folder}${file}: the server answered ${response.status}`);
      return response.text();
    },
  };
}
