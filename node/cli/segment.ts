/** `grootvl segment`: the class of every pixel of a picture. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClassShare } from '../../plugin/index.js';
import { encodeClassMap, encodeImage, imageFormat } from '../images/encode.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import {
  checkAllDone,
  eachPicture,
  type Failed,
  isFailed,
  millisecondsSince,
  PictureOutput,
  pictureOutput,
} from './each_picture.js';
import { BAD_USAGE, Failure } from './failure.js';
import { imageInputs, modelSource, withModel } from './inputs.js';
import { countBar } from './progress.js';
import { inline, note, print, printJson } from './terminal.js';

interface Options {
  out?: string;
  mask?: string;
  mode?: 'whole' | 'slide';
  json?: boolean;
  backend: CliBackend;
}

interface Segmented {
  file: string;
  width: number;
  height: number;
  /** The largest share first. */
  classes: readonly ClassShare[];
  /** Files that were written. */
  out?: string;
  mask?: string;
  backend: StartedBackend;
  /** Milliseconds of preparation, prediction and drawing. */
  ms: number;
}

/** Classes that the text lists. */
const LISTED = 10;

export function addSegment(command: Command): void {
  command
    .option(
      '--out <file.png>',
      'the classes drawn over the picture, with a legend: .png, .jpg or .webp; a folder for several pictures',
      pictureOutput,
    )
    .option('--mask <file.png>', 'a grey PNG of class indices; a folder for several pictures', maskOutput)
    .addOption(
      new Option(
        '--mode <mode>',
        "the picture at once, or windows of it (default: as the model's checkpoint says)",
      ).choices(['whole', 'slide']),
    )
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (dir: string, files: string[], options: Options) => {
    const inputs = await imageInputs(files);
    const [out, mask] = await Promise.all(
      (['out', 'mask'] as const).map(async (name) => {
        const path = options[name];
        return path === undefined ? undefined : PictureOutput.of(`--${name}`, path, inputs);
      }),
    );
    const isTaken = [out, mask].filter((output) => output?.isStandardOutput).length;
    if (isTaken + (options.json ? 1 : 0) > 1) {
      throw new Failure(BAD_USAGE, 'standard output takes one of --json, --out and --mask');
    }
    const backend = await startBackend(options.backend);
    const { Segmenter } = await import('../../plugin/index.js');
    const rows = await withModel(Segmenter.load(await modelSource(dir)), async (model) => {
      const bar = await countBar('windows');
      const work = async (file: string, image: { width: number; height: number; data: Uint8Array }) => {
        const start = performance.now();
        const { classMap, classes, overlay } = await model.segment(image, {
          mode: options.mode,
          overlay: out !== undefined,
          onProgress: (_, { done, total }) => bar.update(done, total),
        });
        const ms = millisecondsSince(start);
        const { width, height } = image;
        const row: Segmented = { file, width, height, classes, backend, ms };
        if (out && overlay) row.out = await out.write(file, await encodeImage(overlay, out.format));
        if (mask) {
          const { length } = model.classNames;
          row.mask = await mask.write(file, await encodeClassMap(classMap, { width, height }, length));
        }
        return row;
      };
      const show = isTaken > 0 ? note : print;
      try {
        return await eachPicture(inputs, work, (row) => {
          bar.stop();
          if (!options.json) show(describe(row));
        });
      } finally {
        bar.stop();
      }
    });
    if (options.json) printJson(rows);
    checkAllDone(rows);
  });
}

function maskOutput(text: string): string {
  const path = pictureOutput(text);
  if (!/[/\\]$/.test(path) && imageFormat(path) !== 'png') {
    throw new InvalidArgumentError('class indices are written as .png.');
  }
  return path;
}

function describe(row: Segmented | Failed): string {
  if (isFailed(row)) return `${inline(row.file)}: ${row.error}`;
  const { file, width, height, classes, out, mask, backend, ms } = row;
  const lines = classes
    .slice(0, LISTED)
    .map(({ label, share }) => `  ${(100 * share).toFixed(1).padStart(5)} %  ${inline(label)}`);
  if (classes.length > LISTED) lines.push(`  and ${classes.length - LISTED} more classes`);
  const written = [out, mask].filter((path) => path !== undefined).map((path) => inline(path, 4096));
  if (written.length > 0) lines.push(`  written to ${written.join(' and ')}`);
  return [`${inline(file)}: ${width} x ${height} (${ms} ms, ${backend})`, ...lines].join('\n');
}
