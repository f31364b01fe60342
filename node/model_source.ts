/** Resolves the model that a user names. */
import type { ModelFolder } from '../plugin/models/model_folder.js';
import type { FileSystemOptions } from './file_system.js';

export function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/**
 * A folder with a model.json, the file itself, or the URL of either.
 * @throws {Error} one line, for something that begins like a URL but is not one
 */
export async function modelSource(path: string, options?: FileSystemOptions): Promise<string | ModelFolder> {
  if (!isUrl(path)) return (await import('./file_system.js')).fileSystem(path, options);
  if (!URL.canParse(path))
    throw new Error(`"${path}" is not a URL; expected that of a model, such as https://host/model`);
  return /\.json([?#]|$)/.test(path) ? path : `${path.replace(/\/$/, '')}/model.json`;
}

/**
 * The files of {@link modelSource}.
 * @throws {Error} as it does
 */
export async function modelFolder(path: string, options?: FileSystemOptions): Promise<ModelFolder> {
  const source = await modelSource(path, options);
  if (typeof source !== 'string') return source;
  return (await import('../plugin/models/http_folder.js')).httpFolder(source); // it loads tfjs
}
