/** Where the pictures go that a command draws. */
import { mkdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { isDescriptor, UnwritableOutput } from '../atomic_file.js';
import { imageFormat } from '../images/encode.js';
import { stemOf } from '../images/picture_files.js';
import { reasonOf } from '../system_error.js';
import { BAD_USAGE, Failure, outputOf } from './failure.js';

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

/** One file, or files of a folder, named after the pictures. */
export class PictureOutput {
  /** How many pictures had a name so far. */
  private readonly counts = new Map<string, number>();

  private constructor(
    private readonly path: string,
    private readonly isFolder: boolean,
  ) {}

  /**
   * @param option that names the path, for errors
   * @param path a file for one picture; for several a folder, which is made where it is not there
   * @throws {Failure} bad usage, when one file is named for several pictures
   */
  static async of(option: string, path: string, isSeveral: boolean): Promise<PictureOutput> {
    const exists = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
    const isFolder = exists || /[/\\]$/.test(path);
    if (isFolder || !isSeveral) return new PictureOutput(path, isFolder);
    if (extname(path) === '' && !isDescriptor(path)) return new PictureOutput(path, true);
    throw new Failure(
      BAD_USAGE,
      `${option} ${path} names one file, several pictures were given: expected a folder`,
    );
  }

  /** Whether results go where text would go otherwise. */
  get isStandardOutput(): boolean {
    return isDescriptor(this.path);
  }

  /** The file of the next picture. */
  async fileOf(picture: string): Promise<string> {
    if (!this.isFolder) return this.path;
    if (this.counts.size === 0) await makeFolder(this.path);
    const stem = stemOf(picture);
    let name = stem;
    while (this.counts.has(name)) {
      const count = (this.counts.get(stem) as number) + 1;
      this.counts.set(stem, count);
      name = `${stem}-${count}`;
    }
    this.counts.set(name, 1);
    return join(this.path, `${name}.png`);
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EEXIST' ? 'it is no folder' : reasonOf(error);
    throw new UnwritableOutput(`cannot write to the folder ${path}: ${reason}`);
  });
}
