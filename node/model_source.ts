/** Resolves the model that a user names. */
import type { ModelFolder } from '../plugin/index.js';
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
