/** What commands take as input: texts, pictures and models, from arguments, folders, standard input and the network. */
import { stat } from 'node:fs/promises';
import type { ModelFolder } from '../../plugin/index.js';
import type { FileSystemOptions } from '../file_system.js';
import { IMAGE_ENDINGS, pictureFiles } from '../images/picture_files.js';
import { standardInput } from './terminal.js';

/** A text or a list of file names; anything larger is something else. */
const MAX_STANDARD_INPUT_BYTES = 2 ** 28;

export function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** A folder with a model.json, the file itself, or the URL of either. */
export async function modelSource(path: string, options?: FileSystemOptions): Promise<string | ModelFolder> {
  if (!isUrl(path)) return (await import('../file_system.js')).fileSystem(path, options);
  return /\.json([?#]|$)/.test(path) ? path : `${path.replace(/\/$/, '')}/model.json`;
}

/** Loads a model for as long as `use` works with it. */
export async function withModel<M extends { dispose(): unknown }, T>(
  loading: Promise<M>,
  use: (model: M) => Promise<T>,
): Promise<T> {
  const model = await loading;
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/**
 * The text of an option, or for `-` what comes on standard input, without the line end that ends it.
 * @throws {Error} one line, when that is no UTF-8 or too long
 */
export async function textOf(option: string): Promise<string> {
  if (option !== '-') return option;
  return decodeUtf8(await readStandardInput()).replace(/\r?\n$/, '');
}

/** A picture file, or why there is none. */
export interface ImageInput {
  readonly file: string;
  readonly problem?: string;
}

/**
 * The pictures that arguments name: files and URLs as they are, of a folder all that end like pictures, also in sub-folders, by
 * name; `-` stands for file names or folders on standard input, one a line or ended by NUL characters.
 */
export async function imageInputs(paths: readonly string[]): Promise<ImageInput[]> {
  const inputs: ImageInput[] = [];
  for (const path of paths) {
    if (path === '-') inputs.push(...(await imageInputs(await listedFiles())));
    else if (isUrl(path) || !(await isFolder(path))) inputs.push({ file: path });
    else inputs.push(...(await imagesBelow(path)));
  }
  return inputs;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function imagesBelow(folder: string): Promise<ImageInput[]> {
  const files = await pictureFiles(folder).catch(() => undefined);
  if (!files) return [{ file: folder, problem: `cannot read the folder ${folder}` }];
  return files.length > 0
    ? files.map((file) => ({ file }))
    : [{ file: folder, problem: `${folder} holds no pictures; expected ${[...IMAGE_ENDINGS].join(', ')}` }];
}

async function listedFiles(): Promise<string[]> {
  const text = decodeUtf8(await readStandardInput());
  // A list in the list would wait for a second standard input.
  return text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((name) => name !== '' && name !== '-');
}

async function readStandardInput(): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of standardInput()) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_STANDARD_INPUT_BYTES) {
      throw new Error(
        `standard input has more than ${MAX_STANDARD_INPUT_BYTES} bytes; expected a text or a list of files`,
      );
    }
  }
  return Buffer.concat(pieces);
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('standard input is not UTF-8; expected a text or a list of files');
  }
}
