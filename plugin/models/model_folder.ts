/** A model's folder, wherever it is, and the options for fetching it. */
import type { io } from '@tensorflow/tfjs-core';

/** A model's folder: an IOHandler that also reads the files beside model.json, such as `fileSystem(dir)` in Node. */
export interface ModelFolder extends io.IOHandler {
  /** Name of model.json in errors. */
  readonly origin?: string;
  /** Returns the text of a file beside model.json, or undefined if it does not exist. */
  readText(file: string): Promise<string | undefined>;
}

/** Progress of loading. */
export interface LoadProgress {
  /** The file that was read last. */
  readonly file: string;
  /** Bytes of weights loaded so far. */
  readonly loadedBytes: number;
  /** Total bytes of weights. */
  readonly totalBytes: number;
}

/** How a model is fetched. `requestInit`, `fetchFunc` and `onProgress` are those of tfjs's `io.LoadOptions`. */
export interface LoadOptions {
  /** Options of every request: headers, credentials and so on. */
  readonly requestInit?: RequestInit;
  /** Used instead of the global `fetch`; `fetchFunc` is tfjs's name for it. */
  readonly fetch?: typeof fetch;
  readonly fetchFunc?: typeof fetch;
  /** Called with the loaded fraction of the weights, from 0 to 1. */
  readonly onProgress?: (fraction: number, progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Texts of the files beside model.json, such as `tokenizer.json`, if the source has none. */
  readonly files?: Readonly<Record<string, string>>;
}
