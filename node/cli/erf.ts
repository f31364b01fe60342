/** `grootvl erf`: the effective receptive field, the contribution of an image's pixels to the centre of the feature map. */
import { type Command, Option } from 'commander';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { ContributionScale, ContributionSquare, ReceptiveField } from '../../plugin/index.js';
import { isDescriptor, writeFileAtomically } from '../atomic_file.js';
import { encodeImage, imageFormat } from '../images/encode.js';
import { readImage } from '../images/read_image.js';
import { tenths } from '../many_images/image_task.js';
import { type ImageInput, imageInputs } from '../many_images/inputs.js';
import type { FailedRow } from '../many_images/rows/row.js';
import { modelSource } from '../model_source.js';
import {
  type CliBackend,
  registerGradients,
  type StartedBackend,
  startBackend,
  withBackend,
} from './backend.js';
import { BAD_USAGE, Failure, integerFrom, oneLine, partlyFailed } from './failure.js';
import { imageOutput } from './image_output.js';
import { withModel } from './inputs.js';
import { progressBar } from './progress.js';
import { inline, note, print, printJson, standardInput } from './terminal.js';

interface Options {
  out?: string;
  size?: number;
  level?: number;
  limit?: number;
  scale: ContributionScale;
  json?: boolean;
  backend: CliBackend;
}

/** The document of `--json`. */
interface Measured extends Pick<ReceptiveField, 'size' | 'level' | 'images'> {
  scale: ContributionScale;
  squares: readonly ContributionSquare[];
  /** Images that could not be read. */
  failed: readonly FailedRow[];
  out?: string;
  backend: StartedBackend;
  /** Milliseconds of reading, gradients and drawing. */
  ms: number;
}

export function addErf(command: Command): void {
  command
    .option('--out <file.png>', 'write a heat map: .png, .jpg or .webp', imageOutput)
    .option(
      '--size <pixels>',
      "side of the square that images are resized to; papers use 1024 (default: the model's)",
      integerFrom(8),
    )
    .option('--level <i>', 'level of the features, from 0 (default: the last)', integerFrom(0))
    .option('--limit <n>', 'maximum number of images', integerFrom(1))
    .addOption(
      new Option(
        '--scale <kind>',
        "log: log10(1 + x), as in RepLKNet's figures; root: x ** 0.2, as in VMamba's",
      )
        .choices(['log', 'root'])
        .default('log'),
    )
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (dir: string, files: string[], options: Options) => {
    const { size, level, limit, scale, out, json } = options;
    const isTaken = out !== undefined && isDescriptor(out);
    if (isTaken && json) throw new Failure(BAD_USAGE, 'standard output takes one of --json and --out');
    const backend = await startBackend(options.backend);
    await registerGradients();
    const { contributionSquares, drawReceptiveField, GrootL, loadModel } = await import(
      '../../plugin/index.js'
    );
    const start = performance.now();
    const failed: FailedRow[] = [];
    const field = await withModel(loadModel(await modelSource(dir)), async (model) => {
      if (model instanceof GrootL)
        throw new Error(`"${dir}" is a language model, expected a model of images`);
      const inputs = imageInputs(files, { standardInput: standardInput() });
      const bar = await progressBar(limit ? '{bar} {value} of {total} images' : '{value} images');
      bar?.start(limit ?? 0, 0);
      try {
        return await model.receptiveField(readable(inputs, failed, limit), {
          size,
          level,
          onProgress: (done) => bar?.update(done),
        });
      } finally {
        bar?.stop();
      }
    });
    if (out) {
      const drawing = drawReceptiveField({ ...field, scale });
      await writeFileAtomically(out, await encodeImage(drawing, imageFormat(out)));
    }
    const squares = contributionSquares(field, scale);
    const { values: _, ...sizes } = field;
    const measured = {
      ...sizes,
      scale,
      squares,
      failed,
      out,
      backend,
      ms: tenths(performance.now() - start),
    };
    if (json) printJson(measured);
    else (isTaken ? note : print)(describe(measured));
    if (failed.length === 0) return;
    const total = failed.length + field.images;
    throw partlyFailed(failed.length, total, failed[0].error);
  });
}

/**
 * The readable images, up to `limit`.
 * @param failed receives the others
 * @throws {Error} if none can be read
 */
async function* readable(
  inputs: AsyncIterable<ImageInput>,
  failed: FailedRow[],
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<RgbImage> {
  let read = 0;
  let first: unknown;
  for await (const { file, problem } of inputs) {
    try {
      if (problem) throw new Error(problem);
      const image = await readImage(file);
      read++;
      yield image;
      if (read === limit) return;
    } catch (error) {
      first ??= error;
      failed.push({ file, error: oneLine(error) });
    }
  }
  if (read > 0 || first === undefined) return;
  if (failed.length === 1) throw first;
  throw new Error(`none of ${failed.length} images could be read; the first: ${failed[0].error}`);
}

function describe({ size, level, images, squares, failed, out, backend, ms }: Measured): string {
  const rows = squares.map(({ share, side, areaRatio }) => {
    const [held, area] = [100 * share, 100 * areaRatio].map((percent) => percent.toFixed(1).padStart(5));
    return `  ${held} % within ${String(side).padStart(4)} x ${side} pixels, ${area} % of the area`;
  });
  if (rows.length === 0) rows.push('  no pixel contributes to the features');
  if (out) rows.push(`  written to ${inline(out, 4096)}`);
  const what = images === 1 ? '1 image' : `${images} images`;
  return [
    ...failed.map(({ file, error }) => `${inline(file)}: ${error}`),
    `contributions of ${what} of ${size} x ${size} pixels to the middle of features_${level} (${ms} ms, ${backend})`,
    ...rows,
  ].join('\n');
}
