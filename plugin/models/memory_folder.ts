/** The files of a model in memory. */
import type { ModelFolder } from './model_folder.js';
import { artifactsOf, checkStoredBytes, parseModelJson } from './model_json.js';

/** A folder of files by name, model.json and its shards among them: what a `MemorySink` holds in `files`. */
export function memoryFolder(files: ReadonlyMap<string, Uint8Array>): ModelFolder {
  const read = (file: string) => {
    const bytes = files.get(file);
    if (bytes instanceof Uint8Array) return bytes;
    throw new Error(`${file}: there is no such file in memory`);
  };
  return {
    origin: 'model.json',
    async load() {
      const model = parseModelJson(new TextDecoder().decode(read('model.json')), 'model.json');
      const weightData: ArrayBuffer[] = [];
      for (const { paths, weights } of model.weightsManifest) {
        const shards = paths.map((path) => read(path).slice().buffer);
        checkStoredBytes(
          'model.json',
          weights,
          shards.reduce((sum, { byteLength }) => sum + byteLength, 0),
        );
        weightData.push(...shards);
      }
      return artifactsOf(model, { weightData });
    },
    async readText(file) {
      return files.has(file) ? new TextDecoder().decode(read(file)) : undefined;
    },
  };
}
