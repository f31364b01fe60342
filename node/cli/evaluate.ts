/** `grootvl evaluate`: evaluates a model on images with known labels. */
import type { Command } from 'commander';
import { drawConfusion, MOST_DRAWN_CLASSES } from '../../plugin/image/draw_confusion.js';
import { isRegularOutput, writeFileAtomically } from '../atomic_file.js';
import type { CliBackend, StartedBackend } from '../backend.js';
import { oneLine } from '../error_line.js';
import type { Evaluation } from '../evaluation/evaluation.js';
import { encodeImage, imageFormat } from '../images/encode.js';
import type { ImageInput } from '../images/image_files.js';
import { runImages } from '../many_images/run_images.js';
import { openRunner } from '../many_images/runner.js';
import { type FailedRow, isFailed, type TaskSpec } from '../many_images/task.js';
import { inline } from '../printable.js';
import { warn, withBackend } from './backend.js';
import { BAD_USAGE, Failure, integerFrom, PARTLY_FAILED, pathOf } from './failure.js';
import { threadsOf } from './image_command.js';
import { batchSize, withWorkers } from './image_options.js';
import { imageFile } from './image_output.js';
import { INTERRUPTED, Interruption } from './interruption.js';
import { ImageBar } from './progress.js';
import { withSmallHeap } from './small_heap.js';
import { note, print, printJson } from './terminal.js';

interface Flags {
  readonly imagenet?: string;
  readonly folders?: string;
  readonly mnist?: readonly string[];
  readonly ade20k?: string;
  readonly coco?: readonly string[];
  readonly groundTruth?: string;
  readonly classOrder?: string;
  readonly bins?: number;
  readonly limit?: number;
  readonly confusion?: string;
  readonly batch?: number;
  readonly workers: number | 'auto';
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly backend: CliBackend;
}

/** Datasets, exactly one of which must be given. */
const SETS = ['imagenet', 'folders', 'mnist', 'ade20k', 'coco'] as const;
type DataSet = (typeof SETS)[number];

/** Datasets that an option applies to. */
const OPTIONS_OF: Readonly<Record<string, readonly DataSet[]>> = {
  'ground-truth': ['imagenet'],
  'class-order': ['imagenet', 'folders'],
  bins: ['imagenet', 'folders', 'mnist'],
  confusion: ['imagenet', 'folders', 'mnist', 'ade20k'],
};

/** Number of bad images that the text output lists; JSON has all. */
const LISTED = 20;

export function addEvaluate(command: Command): void {
  command
    .option(
      '--imagenet <folder>',
      'val/<WordNet id>/*.JPEG, or images in one folder with a list of their labels',
      pathOf,
    )
    .option('--folders <folder>', 'a folder of images per class, optionally below val', pathOf)
    .option('--mnist <paths...>', 'a folder with idx files, or the image file and the label file', paths)
    .option('--ade20k <folder>', 'a folder with images/validation and annotations/validation', pathOf)
    .option('--coco <paths...>', 'an annotation file and the folder of its images', paths)
    .option('--ground-truth <file>', "list of the labels of ImageNet's images in one folder", pathOf)
    .option(
      '--class-order <file>',
      "file with the folder name of each class per line, in the model's order",
      pathOf,
    )
    .option('--bins <n>', 'number of bins for the calibration error (default: 15)', integerFrom(1, 10_000))
    .option(
      '--limit <n>',
      'use only the first images; with folders the first ones of every class',
      integerFrom(1),
    )
    .option('--confusion <file.png>', 'write the confusion matrix as an image', (text) =>
      imageFile(pathOf(text)),
    )
    .option('--batch <n>', 'batch size', batchSize)
    .option('--strict', 'stop at the first image that fails, with exit status 1')
    .option('--json', 'print one JSON document');
  withBackend(withWorkers(command)).action((model: string, flags: Flags) =>
    withSmallHeap(() => evaluate(model, flags)),
  );
}

/** Collects the values of a repeatable option. */
function paths(path: string, before: readonly string[] = []): readonly string[] {
  return [...before, pathOf(path)];
}

async function evaluate(model: string, flags: Flags): Promise<void> {
  const set = setOf(flags);
  const evaluation = await open(set, model, flags);
  const classes = evaluation.confusion?.names.length ?? 0;
  if (flags.confusion !== undefined && classes > MOST_DRAWN_CLASSES) {
    throw new Error(`--confusion draws at most ${MOST_DRAWN_CLASSES} classes, the model has ${classes}`);
  }
  if (flags.confusion !== undefined) await isRegularOutput(flags.confusion); // before the work, in case it cannot be written
  const inputs = evaluation.inputs.slice(0, flags.limit);
  const start = performance.now();
  const spec = { ...evaluation.task, model, backend: flags.backend };
  const { backend, evaluated, failed, isInterrupted } = await run(spec, { ...evaluation, inputs }, flags);
  for (const row of failed.slice(0, LISTED)) note(`${inline(row.file)}: ${row.error}`);
  if (failed.length > LISTED) note(`and ${failed.length - LISTED} more bad images, which --json lists`);
  if (evaluated === 0) {
    if (isInterrupted) throw new Failure(INTERRUPTED, 'interrupted');
    throw new Error(`none of ${inputs.length} images could be evaluated; the first: ${failed[0].error}`);
  }
  const { scores, lines } = evaluation.result();
  if (flags.json) {
    printJson({
      dataset: {
        kind: set,
        paths: [flags[set]].flat(),
        images: inputs.length,
        classOrder: evaluation.order,
      },
      evaluated,
      ...scores,
      failed,
      backend,
      ms: Math.round(performance.now() - start),
    });
  } else {
    print(
      [`${count(evaluated)} (${evaluation.order}; ${backend})`, ...lines]
        .map((line) => inline(line, 2000))
        .join('\n'),
    );
  }
  if (flags.confusion !== undefined && evaluation.confusion) {
    const { matrix, names } = evaluation.confusion;
    const image = drawConfusion({ counts: matrix().counts, names });
    await writeFileAtomically(flags.confusion, await encodeImage(image, imageFormat(flags.confusion)));
  }
  if (isInterrupted) {
    const of = `${evaluated} of ${count(inputs.length)}`;
    throw new Failure(INTERRUPTED, `interrupted; the scores are of ${of}`);
  }
  if (failed.length > 0) {
    throw new Failure(
      PARTLY_FAILED,
      `${failed.length} of ${count(inputs.length)} failed and are not in the scores; the first: ${failed[0].error}`,
    );
  }
}

function count(images: number): string {
  return `${images} ${images === 1 ? 'image' : 'images'}`;
}

/** @throws {Failure} bad usage, unless exactly one dataset is given, with options that apply to it */
function setOf(flags: Flags): DataSet {
  const named = SETS.filter((set) => flags[set] !== undefined);
  const all = SETS.map((set) => `--${set}`).join(', ');
  if (named.length !== 1) {
    const given =
      named.length === 0
        ? 'no data set is named'
        : `${named.map((set) => `--${set}`).join(' and ')} are given`;
    throw new Failure(BAD_USAGE, `${given}: expected one of ${all}`);
  }
  const [set] = named;
  const given = { 'ground-truth': flags.groundTruth, 'class-order': flags.classOrder, ...flags };
  for (const [option, sets] of Object.entries(OPTIONS_OF)) {
    if (given[option as keyof typeof given] === undefined || sets.includes(set)) continue;
    throw new Failure(
      BAD_USAGE,
      `--${option} is an option of ${sets.map((each) => `--${each}`).join(', ')}, not of --${set}`,
    );
  }
  if (set === 'coco' && flags.coco?.length !== 2) {
    throw new Failure(
      BAD_USAGE,
      `--coco takes a file of annotations and a folder of images, ${flags.coco?.length} paths are given`,
    );
  }
  if (set === 'mnist' && (flags.mnist?.length ?? 0) > 2) {
    throw new Failure(
      BAD_USAGE,
      `--mnist takes a folder, or files of images and labels, ${flags.mnist?.length} paths are given`,
    );
  }
  return set;
}

interface Outcome {
  readonly backend: StartedBackend;
  readonly evaluated: number;
  /** Images that could not be compared. */
  readonly failed: readonly FailedRow[];
  readonly isInterrupted: boolean;
}

/** Compares the rows of all inputs, or of those processed before a signal. */
async function run(spec: TaskSpec, { inputs, add }: Evaluation, flags: Flags): Promise<Outcome> {
  const interruption = new Interruption();
  const { signal } = interruption;
  const bar = await ImageBar.start(0, inputs.length > 1);
  const failed: FailedRow[] = [];
  let [done, evaluated] = [0, 0];
  try {
    const runner = await openRunner(spec, { warn, workers: await threadsOf(flags.workers, spec.backend) });
    try {
      bar?.count(listed(inputs));
      const { batch = runner.batch } = flags;
      for await (const row of runImages(runner, listed(inputs), { batch, signal })) {
        const input = inputs[done++];
        const problem = isFailed(row) ? row : problemOf(() => add(row, input), input);
        bar?.add();
        if (!problem) evaluated++;
        else if (flags.strict) throw new Error(problem.error);
        else if (!signal.aborted) failed.push(problem); // an input interrupted by a signal is not a bad image
      }
      return { backend: runner.backend, evaluated, failed, isInterrupted: signal.aborted };
    } finally {
      await runner.dispose();
    }
  } finally {
    bar?.stop();
    interruption.dispose();
  }
}

function problemOf(compare: () => void, { file }: ImageInput): FailedRow | undefined {
  try {
    compare();
    return undefined;
  } catch (error) {
    return { file, error: oneLine(error) };
  }
}

async function* listed<Input>(inputs: readonly Input[]): AsyncGenerator<Input> {
  yield* inputs;
}

async function open(set: DataSet, path: string, flags: Flags): Promise<Evaluation> {
  const { describeModel } = await import('../evaluation/model_description.js');
  if (set === 'coco') {
    const { evaluateCocoFiles } = await import('../evaluation/detector.js');
    const [annotations, folder] = flags.coco as readonly string[];
    return await evaluateCocoFiles(annotations, folder, await describeModel(path, 'detector'));
  }
  if (set === 'ade20k') {
    const { evaluateAde20k } = await import('../evaluation/segmenter.js');
    return await evaluateAde20k(flags.ade20k as string, await describeModel(path, 'segmenter'));
  }
  const { evaluateFiles, evaluateIdx } = await import('../evaluation/classifier.js');
  const model = await describeModel(path, 'classifier');
  if (set === 'mnist') return await evaluateIdx(flags.mnist as readonly string[], model, flags);
  return await evaluateFiles(set, flags[set] as string, model, flags);
}
