/** Commands over pictures: each is done by itself, and a bad one of several is a row with its error. */
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import { isDescriptor, writeFileAtomically } from '../atomic_file.js';
import { imageFormat } from '../images/encode.js';
import { readImage } from '../images/read_image.js';
import { BAD_USAGE, Failure, oneLine, outputOf, PARTLY_FAILED } from './failure.js';
import { type ImageInput, isUrl } from './inputs.js';

/** A picture that something went wrong with. */
export interface Failed {
  readonly file: string;
  readonly error: string;
}

/**
 * What `work` makes of each picture. The error of a single picture is the command's; a bad one of several is a row.
 * @param done called with each row as it comes
 */
export async function eachPicture<Row extends object>(
  inputs: readonly ImageInput[],
  work: (file: string, image: RgbImage) => Promise<Row>,
  done: (row: Row | Failed) => void,
): Promise<(Row | Failed)[]> {
  const rows: (Row | Failed)[] = [];
  for (const { file, problem } of inputs) {
    const result = problem
      ? Promise.reject(new Error(problem))
      : readImage(file).then((image) => work(file, image));
    const row = await result.catch((error): Failed => {
      if (inputs.length === 1) throw error;
      return { file, error: oneLine(error) };
    });
    rows.push(row);
    done(row);
  }
  return rows;
}

export function isFailed(row: object): row is Failed {
  return 'error' in row;
}

/** @throws {Failure} with a status of its own where some pictures failed */
export function checkAllDone(rows: readonly object[]): void {
  const failed = rows.filter(isFailed);
  if (failed.length === 0) return;
  const first = failed[0].error;
  throw new Failure(PARTLY_FAILED, `${failed.length} of ${rows.length} pictures failed; the first: ${first}`);
}

/** Milliseconds since `start`, to a tenth. */
export function millisecondsSince(start: number): number {
  return Math.round((performance.now() - start) * 10) / 10;
}

/** Parses the path of a picture of a format that can be written, or of a folder for pictures. */
export function pictureOutput(text: string): string {
  const path = outputOf(text);
  try {
    if (!/[/\\]$/.test(path)) imageFormat(path);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return path;
}

/** Where results go: one file, or files of a folder, named after the pictures. */
export class PictureOutput {
  private readonly names = new Set<string>();

  private constructor(
    private readonly path: string,
    private readonly isFolder: boolean,
  ) {}

  /**
   * @param option that names the path, for errors
   * @param path a file for one picture; for several a folder, which is made where it is not there
   * @throws {Failure} bad usage, when one file is named for several pictures
   */
  static async of(option: string, path: string, inputs: readonly ImageInput[]): Promise<PictureOutput> {
    const exists = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
    const isFolder = exists || /[/\\]$/.test(path);
    if (isFolder || inputs.length === 1) return new PictureOutput(path, isFolder);
    if (extname(path) === '' && !isDescriptor(path)) return new PictureOutput(path, true);
    throw new Failure(
      BAD_USAGE,
      `${option} ${path} names one file, ${inputs.length} pictures were given: expected a folder`,
    );
  }

  /** Whether results go where text would go otherwise. */
  get isStandardOutput(): boolean {
    return isDescriptor(this.path);
  }

  /** Writes a result; what was there before stays until it is complete. @returns the file */
  async write(picture: string, bytes: Uint8Array): Promise<string> {
    const file = this.isFolder ? join(this.path, this.nameOf(picture)) : this.path;
    if (this.isFolder) await mkdir(dirname(file), { recursive: true });
    await writeFileAtomically(file, bytes);
    return file;
  }

  /** The format of the files. */
  get format(): ReturnType<typeof imageFormat> {
    return this.isFolder ? 'png' : imageFormat(this.path);
  }

  private nameOf(picture: string): string {
    const stem = stemOf(picture);
    let name = stem;
    for (let i = 2; this.names.has(name); i++) name = `${stem}-${i}`;
    this.names.add(name);
    return `${name}.png`;
  }
}

/** The name of a picture's file without its ending. */
export function stemOf(picture: string): string {
  const path = isUrl(picture) ? new URL(picture).pathname : picture;
  return basename(path, extname(path)) || 'picture';
}
