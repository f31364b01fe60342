/** Reads the files of a model from a URL. */
import type { io } from '@tensorflow/tfjs-core';
import { requestReason } from '../request_reason.js';
import { MAX_JSON_CHARACTERS } from './bounded_json.js';
import { quote } from './checks.js';
import type { LoadOptions, ModelFolder } from './model_folder.js';
import {
  artifactsOf,
  checkStoredBytes,
  declaredBytes,
  type ModelJson,
  parseModelJson,
} from './model_json.js';
import { joined } from './streamed_weights.js';

/**
 * Returns the folder of the model.json at a URL.
 * @param url of model.json, also relative to the page, or of its folder with a trailing slash. The part after a `?` is also
 *   used for the files beside it.
 */
export function httpFolder(url: string | URL, options: LoadOptions = {}): ModelFolder {
  const [, folder, name, query] = /^([^?#]*?)([^/?#]*)(\?[^#]*)?(?:#.*)?$/.exec(String(url)) ?? [];
  const files = new HttpFiles(folder ?? '', query ?? '', options);
  const modelFile = name || 'model.json';
  return {
    origin: files.url(modelFile),
    load: () => files.load(modelFile),
    readText: (file) => files.readOptional(file),
  };
}

class HttpFiles {
  constructor(
    private readonly folder: string,
    private readonly query: string,
    private readonly options: LoadOptions,
  ) {}

  url(file: string): string {
    return `${this.folder}${file}${this.query}`;
  }

  async load(file: string): Promise<io.ModelArtifacts> {
    const response = await this.request(file);
    if (!response.ok) throw new Error(`${this.url(file)}: the server answered ${response.status}`);
    const text = await this.readText(file, response);
    if (isPage(response, text)) {
      throw new Error(
        `${this.url(file)}: the server answered an HTML page; is this the URL of a model.json?`,
      );
    }
    const model = parseModelJson(text, this.url(file));
    return artifactsOf(model, { weightData: await this.readWeights(file, model) });
  }

  /** Hosts of single-page applications answer unknown paths with their index page. */
  async readOptional(file: string): Promise<string | undefined> {
    const response = await this.request(file);
    if (response.status === 404 || response.status === 410) return undefined;
    if (!response.ok) throw new Error(`${this.url(file)}: the server answered ${response.status}`);
    const text = await this.readText(file, response);
    return isPage(response, text) ? undefined : text;
  }

  private async readWeights(file: string, { weightsManifest }: ModelJson): Promise<ArrayBuffer[]> {
    const groups = weightsManifest.map((group) => declaredBytes(this.url(file), group.weights));
    const totalBytes = groups.reduce((sum, bytes) => sum + bytes, 0);
    let loadedBytes = 0;
    const buffers = await Promise.all(
      weightsManifest.map(async ({ paths, weights }, i) => {
        const most = weights.some(({ dtype }) => dtype === 'string') ? Number.MAX_SAFE_INTEGER : groups[i];
        const shards = await Promise.all(
          paths.map(async (path) => {
            const response = await this.request(path);
            if (!response.ok) throw new Error(`${this.url(path)}: the server answered ${response.status}`);
            return this.read(path, response, most, (bytes) => {
              loadedBytes += bytes;
              const fraction = totalBytes === 0 ? 1 : Math.min(1, loadedBytes / totalBytes);
              this.options.onProgress?.(fraction, { file: path, loadedBytes, totalBytes });
            });
          }),
        );
        checkStoredBytes(
          this.url(file),
          weights,
          shards.reduce((sum, { byteLength }) => sum + byteLength, 0),
        );
        return shards;
      }),
    );
    return buffers.flat();
  }

  private async request(file: string): Promise<Response> {
    const { requestInit, signal } = this.options;
    const send = this.options.fetch ?? this.options.fetchFunc ?? fetch;
    const init = { ...requestInit, signal: signal ?? requestInit?.signal };
    try {
      return await send(this.url(file), init);
    } catch (cause) {
      init.signal?.throwIfAborted();
      throw new Error(`${this.url(file)}: cannot be fetched (${requestReason(cause)})`, { cause });
    }
  }

  private async readText(file: string, response: Response): Promise<string> {
    // UTF-8 takes at least one byte per character.
    return new TextDecoder().decode(await this.read(file, response, MAX_JSON_CHARACTERS, () => {}));
  }

  /** Reads the body of a response, which may not be longer than expected. */
  private async read(
    file: string,
    response: Response,
    most: number,
    onBytes: (bytes: number) => void,
  ): Promise<ArrayBuffer> {
    const tooLong = () => new Error(`${this.url(file)}: more than the ${most} bytes that are expected`);
    const reader = response.body?.getReader();
    if (!reader) {
      const bytes = await response.arrayBuffer();
      if (bytes.byteLength > most) throw tooLong();
      onBytes(bytes.byteLength);
      return bytes;
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { done, value } = await this.next(file, reader);
      if (done) break;
      length += value.length;
      if (length > most) {
        await reader.cancel();
        throw tooLong();
      }
      chunks.push(value);
      onBytes(value.length);
    }
    return joined(chunks, length);
  }

  private async next(file: string, reader: ReadableStreamDefaultReader<Uint8Array>) {
    try {
      return await reader.read();
    } catch (cause) {
      this.options.signal?.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${this.url(file)}: broke off (${quote(reason)})`, { cause });
    }
  }
}

/** JSON never starts like an HTML page; some hosts label every file as HTML. */
function isPage(response: Response, text: string): boolean {
  const [first] = text.trimStart();
  const isHtml = /^\s*text\/html\b/i.test(response.headers.get('content-type') ?? '');
  return first === '<' || (isHtml && first !== '{' && first !== '[');
}
