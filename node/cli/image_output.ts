/** Where a command writes the images that it draws. */
import { mkdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { isDescriptor, UnwritableOutput } from '../atomic_file.js';
import { imageFormat } from '../images/encode.js';
import { stemOf } from '../images/image_files.js';
import { reasonOf } from '../system_error.js';
import { BAD_USAGE, Failure, outputOf } from './failure.js';

/** Parses the path of an image in a supported output format, or of a folder for images. */
export function imageOutput(text: string): string {
  const path = outputOf(text);
  return /[/\\]$/.test(path) ? path : imageFile(path);
}

/** Checks that the name of a file has a supported output format. */
export function imageFile(path: string): string {
  try {
    imageFormat(path);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return path;
}

/** A single file, or files in a folder, named after the input images. */
export class ImageOutput {
  /** How often each name has been used. */
  private readonly counts = new Map<string, number>();

  private constructor(
    private readonly path: string,
    private readonly isFolder: boolean,
  ) {}

  /**
   * @param option that gives the path, for errors
   * @param path a file for one image; for several a folder, which is created if it does not exist
   * @throws {Failure} bad usage, if a file is given for several images
   */
  static async of(option: string, path: string, isSeveral: boolean): Promise<ImageOutput> {
    const exists = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
    const isFolder = exists || /[/\\]$/.test(path);
    if (isFolder || !isSeveral) return new ImageOutput(path, isFolder);
    if (extname(path) === '' && !isDescriptor(path)) return new ImageOutput(path, true);
    throw new Failure(
      BAD_USAGE,
      `${option} "${path}" names one file, several images were given: expected a folder`,
    );
  }

  /** Whether images are written to standard output, where text would go otherwise. */
  get isStandardOutput(): boolean {
    return isDescriptor(this.path);
  }

  /** The output path for the next image. */
  async fileOf(image: string): Promise<string> {
    if (!this.isFolder) return this.path;
    if (this.counts.size === 0) await makeFolder(this.path);
    const stem = stemOf(image);
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
    const reason = error.code === 'EEXIST' ? 'it is not a folder' : reasonOf(error);
    throw new UnwritableOutput(`cannot write to the folder "${path}": ${reason}`);
  });
}
