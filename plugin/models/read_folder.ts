/** Reads the files of a model through a function: from the storage of a page, an archive, or memory. */
import { quote, show } from './checks.js';
import type { LoadOptions, ModelFolder } from './model_folder.js';
import { artifactsOf, declaredBytes, parseModelJson } from './model_json.js';

/** The content of a file. Bytes are not modified, and not copied if they fill their buffer. */
export type FileContent = Uint8Array | ArrayBuffer | Blob;

/** Returns the content of a model's file by its name, such as `model.json`; undefined if it does not exist. */
export type FileReader = (file: string) => Promise<FileContent | undefined> | FileContent | undefined;

/** Progress, abortion, and the name of model.json in errors. */
export interface ReadFolderOptions extends Pick<LoadOptions, 'onProgress' | 'signal'> {
  readonly origin?: string;
}

/**
 * Returns a folder whose files are read through a function, one after another, as their weights become tensors: for example
 * files that a page keeps in OPFS, Cache Storage or an archive. Loading throws what `read` throws.
 *
 * ```js
 * const cache = await caches.open('models');
 * const folder = readFolder(async (file) => (await cache.match(`/model/${file}`))?.blob());
 * const model = await loadModel(folder);
 * ```
 */
export function readFolder(read: FileReader, options: ReadFolderOptions = {}): ModelFolder {
  const { signal, onProgress, origin = 'model.json' } = options;
  const buffer = async (file: string): Promise<ArrayBuffer | undefined> => {
    signal?.throwIfAborted();
    const content: unknown = await read(file);
    signal?.throwIfAborted();
    return content === undefined ? undefined : bufferOf(file, content);
  };
  const existing = async (file: string): Promise<ArrayBuffer> => {
    const bytes = await buffer(file);
    if (bytes) return bytes;
    throw new Error(`${file}: there is no such file`);
  };
  return {
    origin,
    async load() {
      const model = parseModelJson(new TextDecoder().decode(await existing('model.json')), origin);
      const files = model.weightsManifest.flatMap(({ paths }) => paths);
      const totalBytes = model.weightsManifest.reduce(
        (sum, { weights }) => sum + declaredBytes(origin, weights),
        0,
      );
      const getWeightStream = () => {
        let [next, loadedBytes] = [0, 0];
        const pull = async (controller: ReadableStreamDefaultController<ArrayBuffer>) => {
          if (next === files.length) {
            controller.close();
            return;
          }
          const file = files[next++];
          const shard = await existing(file);
          loadedBytes += shard.byteLength;
          const fraction = totalBytes === 0 ? 1 : Math.min(1, loadedBytes / totalBytes);
          onProgress?.(fraction, { file, loadedBytes, totalBytes });
          controller.enqueue(shard);
        };
        return new ReadableStream({ pull }, { highWaterMark: 0 });
      };
      return artifactsOf(model, { getWeightStream });
    },
    async readText(file) {
      const bytes = await buffer(file);
      return bytes && new TextDecoder().decode(bytes);
    },
  };
}

/** Returns a folder of files by name, model.json and its shards among them, such as `files` of a `MemorySink`. */
export function memoryFolder(files: ReadonlyMap<string, Uint8Array>): ModelFolder {
  return readFolder((file) => files.get(file));
}

async function bufferOf(file: string, content: unknown): Promise<ArrayBuffer> {
  if (content instanceof Blob) return content.arrayBuffer();
  if (content instanceof ArrayBuffer) return content;
  if (!(content instanceof Uint8Array)) {
    throw new Error(
      `the reader of ${quote(file)} gave ${show(content)}, expected bytes, a Blob or undefined`,
    );
  }
  const { buffer, byteLength } = content;
  return buffer instanceof ArrayBuffer && byteLength === buffer.byteLength ? buffer : content.slice().buffer;
}
