/** The images that a command is given, as a stream: few are in memory at a time, whatever their number. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { IMAGE_ENDINGS, type ImageInput, imagesBelow, isImageName } from '../images/image_files.js';
import { isUrl } from '../model_source.js';
import { reasonOf } from '../system_error.js';
import { listedNames } from './name_list.js';

export type { ImageInput };

export interface InputOptions {
  /** A file with names of files, folders and URLs, processed after those of the arguments. */
  readonly list?: string;
  /** The stream that `-` reads; the process's own standard input by default. */
  readonly standardInput?: AsyncIterable<Uint8Array>;
}

/** Characters that make an argument a pattern. */
const MAGIC = /[*?[\]{}]|[!+@]\(/;

/**
 * The images that arguments name: files and URLs as they are; for a folder all files with an image extension, including those in
 * subfolders, sorted by path; for a pattern such as `photos/*.jpg`, if there is no file of that name, all matches; `-` for names
 * of files, folders and URLs on standard input, one per line or each terminated by NUL. Anything that names no image is an input
 * with its problem.
 * @throws {Error} one line, if a list cannot be read or is not a list
 */
export async function* imageInputs(
  paths: readonly string[],
  options: InputOptions = {},
): AsyncGenerator<ImageInput> {
  const { list, standardInput = process.stdin } = options;
  for (const path of paths) {
    if (path === '-') yield* listed(standardInput, 'standard input');
    else yield* named(path, true);
  }
  if (list !== undefined) yield* listed(listFile(list), `"${list}"`);
}

async function* named(path: string, isArgument: boolean): AsyncGenerator<ImageInput> {
  if (isUrl(path)) {
    yield { file: path };
    return;
  }
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory())
    yield* orNone(path, imagesBelow(path), `"${path}" holds no images; expected ${ENDINGS}`);
  else if (isArgument && !status && MAGIC.test(path)) {
    yield* orNone(path, matching(path), `"${path}" matches no images; expected ${ENDINGS}`);
  } else yield { file: path };
}

const ENDINGS = [...IMAGE_ENDINGS].join(', ');

/** Files that a pattern matches, sorted by path. All their names are in memory at once. */
async function* matching(pattern: string): AsyncGenerator<ImageInput> {
  const { glob } = await import('tinyglobby');
  const files = await glob(pattern, {
    absolute: isAbsolute(pattern),
    dot: true,
    expandDirectories: false,
    followSymbolicLinks: false,
  });
  for (const file of files.filter(isImageName).sort()) yield { file };
}

async function* listed(list: AsyncIterable<Uint8Array>, origin: string): AsyncGenerator<ImageInput> {
  // A list within a list would wait for a second standard input.
  const inputs = async function* () {
    for await (const { name, problem } of listedNames(list, origin)) {
      if (problem !== undefined) yield { file: name, problem };
      else if (name !== '-') yield* named(name, false);
    }
  };
  yield* orNone(origin, inputs(), `${origin} names no images`);
}

async function* listFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    throw new Error(`cannot read the list "${path}": ${reasonOf(error)}`);
  }
}

/** The inputs, or if there are none, one with this problem. */
async function* orNone(
  file: string,
  inputs: AsyncIterable<ImageInput>,
  problem: string,
): AsyncGenerator<ImageInput> {
  let isEmpty = true;
  for await (const input of inputs) {
    isEmpty = false;
    yield input;
  }
  if (isEmpty) yield { file, problem };
}

/** Takes items until `taken` has `count` of them, or the source ends. */
export async function takeInto<T>(taken: T[], source: AsyncIterator<T>, count: number): Promise<void> {
  while (taken.length < count) {
    const { done, value } = await source.next();
    if (done) return;
    taken.push(value);
  }
}

/**
 * Reads the first inputs ahead.
 * @returns up to `count` of them, and all inputs
 */
export async function lookAhead<Input>(
  inputs: AsyncIterable<Input>,
  count: number,
): Promise<{ readonly first: readonly Input[]; readonly all: AsyncGenerator<Input> }> {
  const source = inputs[Symbol.asyncIterator]();
  const first: Input[] = [];
  await takeInto(first, source, count);
  const all = async function* () {
    yield* first;
    yield* { [Symbol.asyncIterator]: () => source };
  };
  return { first, all: all() };
}
