/** A folder with a model, wherever it is, and how it is fetched. */
import type { io } from '@tensorflow/tfjs-core';

/** A folder with a model: an IOHandler that also reads what lies beside model.json. In Node `fileSystem(dir)` is one. */
export interface ModelFolder extends io.IOHandler {
  /** Names model.json in errors. */
  readonly origin?: string;
  /** The text of a file beside model.json, or undefined where there is none. */
  readText(file: string): Promise<string | undefined>;
}

/** How far loading has come. */
export interface LoadProgress {
  /** The file that bytes have come of. */
  readonly file: string;
  /** Bytes of weights that have come. */
  readonly loadedBytes: number;
  /** Bytes of weights in all. */
  readonly totalBytes: number;
}

/** How a model is fetched. `requestInit`, `fetchFunc` and `onProgress` are those of tfjs's `io.LoadOptions`. */
export interface LoadOptions {
  /** Of every request: headers, credentials and so on. */
  readonly requestInit?: RequestInit;
  /** Used instead of the global `fetch`; `fetchFunc` is tfjs's name for it. */
  readonly fetch?: typeof fetch;
  readonly fetchFunc?: typeof fetch;
  /** Called with the fraction of the weights that has come, from 0 to 1. */
  readonly onProgress?: (fraction: number, progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Texts of files that would lie beside model.json, such as `tokenizer.json`, where the source has none. */
  readonly files?: Readonly<Record<string, string>>;
}
