/** Locates the files of a converted model: its graph, its weights, and the files beside them. */
import { io } from '@tensorflow/tfjs-core';
import {
  abortSignal,
  aFunction,
  options as checkOptions,
  isRecord,
  optional,
  quote,
  record,
  refuse,
  text,
} from './checks.js';
import { httpFolder } from './http_folder.js';
import type { LoadOptions, ModelFolder } from './model_folder.js';
import { memoryFolder } from './read_folder.js';

export type { LoadOptions, LoadProgress, ModelFolder } from './model_folder.js';

/**
 * A model: the URL of its model.json, also `indexeddb://name` and any other URL that tfjs has a handler for; any IOHandler,
 * such as `tf.io.http(url, options)` or `fileSystem(dir)`; or files in memory, such as a `MemorySink`.
 */
export type ModelSource =
  | string
  | URL
  | ModelFolder
  | io.IOHandler
  | io.IOHandlerSync
  | { readonly files: ReadonlyMap<string, Uint8Array> };

/** A source of known kind. */
export interface OpenedSource {
  /** Name of model.json in errors. */
  readonly origin: string;
  load(): Promise<unknown>;
  /** Undefined if the source is only the model, and files beside it cannot be read. */
  readonly readText?: (file: string) => Promise<string | undefined>;
}

const OPTIONS = {
  requestInit: record({}),
  fetch: aFunction,
  fetchFunc: aFunction,
  onProgress: aFunction,
  signal: abortSignal,
  files: (value: unknown, name: string) => {
    record({})(value, name);
    for (const [file, content] of Object.entries(value as object)) {
      optional(text(2 ** 27))(content, `${name}[${quote(file)}]`);
    }
  },
};

/** @throws {Error} that says what to pass instead, if the source is invalid or no handler accepts it. */
export function openSource(method: string, source: ModelSource, options: LoadOptions): OpenedSource {
  checkOptions(options, method, OPTIONS);
  const { files, signal } = options;
  const opened = openedSource(method, source, options);
  const load = async () => {
    signal?.throwIfAborted();
    const artifacts = await opened.load();
    signal?.throwIfAborted();
    return artifacts;
  };
  if (files === undefined) return { ...opened, load };
  return {
    origin: opened.origin,
    load,
    readText: async (file) => (Object.hasOwn(files, file) ? files[file] : opened.readText?.(file)),
  };
}

function openedSource(method: string, source: ModelSource, options: LoadOptions): OpenedSource {
  if (source instanceof URL) return openUrl(method, source.href, options);
  if (typeof source === 'string') return openUrl(method, source, options);
  const given: unknown = source;
  if (!isRecord(given)) return refuse(given, `${method}: the model`, EXPECTED);
  if (given.files instanceof Map) return opened(memoryFolder(given.files));
  if (typeof given.load !== 'function') return refuse(given, `${method}: the model`, EXPECTED);
  const handler = source as io.IOHandler | ModelFolder;
  if ('readText' in handler) return opened(handler);
  if (isHttpRequest(handler)) {
    // tfjs's handler has the URL and the options; the files beside model.json are fetched in the same way.
    const folder = httpFolder(handler.path, { ...handler, signal: options.signal });
    return { ...opened(folder), load: async () => handler.load?.() };
  }
  return { origin: 'model.json', load: async () => handler.load?.() };
}

const EXPECTED =
  'the URL of a model.json, an IOHandler such as tf.io.http(url), or a folder such as fileSystem(dir) of tfjs-grootvl/node';

function opened(folder: ModelFolder): OpenedSource {
  return {
    origin: folder.origin ?? 'model.json',
    load: async () => folder.load?.(),
    readText: (file) => folder.readText(file),
  };
}

function openUrl(method: string, url: string, options: LoadOptions): OpenedSource {
  const [, scheme] = /^([a-z][a-z0-9+.-]+):/i.exec(url) ?? [];
  if (scheme === undefined && typeof location === 'undefined' && !options.fetch && !options.fetchFunc) {
    throw new Error(`${method}: ${quote(url)} is not a URL; ${onDisk(method, url)}`);
  }
  if (scheme === undefined || /^(https?|blob|data)$/i.test(scheme)) return opened(httpFolder(url, options));
  const [handler, ...others] = io.getLoadHandlers(url, options as io.LoadOptions);
  if (handler?.load && others.length === 0) return { origin: url, load: async () => handler.load?.() };
  const reason = /^file$/i.test(scheme) ? onDisk(method, new URL(url).pathname) : `expected ${EXPECTED}`;
  throw new Error(`${method}: nothing here loads ${quote(url)}; ${reason}`);
}

function onDisk(method: string, path: string): string {
  const folder = path.replace(/[/\\]?[^/\\]*\.json$/, '') || '.';
  return `a folder on disk is loaded with ${method}(fileSystem(${quote(folder)})), fileSystem from tfjs-grootvl/node`;
}

/** Whether a handler is one made by `tf.io.http`. */
function isHttpRequest(
  handler: object,
): handler is io.IOHandler & { path: string; requestInit?: RequestInit; fetch?: typeof fetch } {
  return (
    'path' in handler && typeof handler.path === 'string' && 'fetch' in handler && 'requestInit' in handler
  );
}
