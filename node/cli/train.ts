/** `grootvl train`: fine-tunes a classifier on labelled images. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { GrootV } from '../../plugin/index.js';
import type { Examples, FitResult, Recipe, StepReport, Trainable } from '../../plugin/training/index.js';
import { writeFileAtomically } from '../atomic_file.js';
import type { ImageSets } from '../data/image_sets.js';
import { fileSource } from '../file_source.js';
import type { TrainingRun } from '../training_run.js';
import {
  type CliBackend,
  registerGradients,
  type StartedBackend,
  startBackend,
  withBackend,
} from './backend.js';
import { checkSame, recordedOptions, recordOf } from './continued_run.js';
import { BAD_USAGE, Failure, fraction, integerFrom, numberFrom, pathOf } from './failure.js';
import { isUrl, modelSource } from './inputs.js';
import { WEIGHT_SETS } from './inspect.js';
import { INTERRUPTED, Interruption } from './interruption.js';
import { duration, progressBar } from './progress.js';
import { inline, note, print, printJson } from './terminal.js';

interface Options {
  out: string;
  weights?: (typeof WEIGHT_SETS)[number];
  steps?: number;
  epochs?: number;
  batch: number;
  accumulate: number;
  optimizer: 'adamw' | 'sgd';
  learningRate: number;
  warmup?: number;
  weightDecay: number;
  clip: number;
  labelSmoothing: number;
  mixup: number;
  cutmix: number;
  ema?: number;
  checkpointing?: boolean;
  dropPath?: number;
  dropout?: number;
  freeze?: string[];
  newHead?: boolean;
  imageSize?: number;
  augment?: boolean;
  seed: number;
  order?: string;
  limit?: number;
  validation?: string;
  validationLimit?: number;
  evaluateEvery?: number;
  patience?: number;
  saveEvery: number;
  resume?: boolean;
  json?: boolean;
  backend: CliBackend;
}

/** Options that may change when a run is resumed: none of them affects a weight. */
const FREE = new Set<keyof Options>(['out', 'saveEvery', 'resume', 'json', 'backend']);

const EPOCHS = 10;
/** The authors' schedule: warm-up from a tenth of the learning rate, and decay to a hundredth. */
const [RATE_START, RATE_END] = [0.1, 0.01];
/** Maximum steps of warm-up, and a tenth of all steps if that is fewer. */
const WARM_UP = 20;

export function addTrain(command: Command): void {
  const positive = numberFrom(0);
  command
    .requiredOption('--out <folder>', 'the run: checkpoints, curves and the trained model', pathOf)
    .addOption(
      new Option('--weights <name>', 'weights to use from a training checkpoint').choices(WEIGHT_SETS),
    )
    .option('--steps <n>', `number of updates (default: ${EPOCHS} epochs)`, integerFrom(1))
    .option('--epochs <n>', 'number of epochs, instead of --steps', integerFrom(1))
    .option('--batch <n>', 'images per pass', integerFrom(1), 32)
    .option('--accumulate <n>', 'passes per update', integerFrom(1), 1)
    .addOption(
      new Option('--optimizer <name>', 'sgd: with momentum 0.9 and Nesterov')
        .choices(['adamw', 'sgd'])
        .default('adamw'),
    )
    .option(
      '--learning-rate <rate>',
      'learning rate after the warm-up, followed by a cosine schedule',
      positive,
      5e-4,
    )
    .option(
      '--warmup <steps>',
      `steps in which the rate rises (default: ${WARM_UP}, at most a tenth)`,
      integerFrom(0),
    )
    .option(
      '--weight-decay <decay>',
      'weight decay of parameters with more than one dimension',
      positive,
      0.05,
    )
    .option('--clip <norm>', 'maximum norm of all gradients; 0: no clipping', positive, 5)
    .option('--label-smoothing <share>', 'probability spread over all classes', fraction, 0.1)
    .option('--mixup <alpha>', 'mix images with each other', positive, 0)
    .option('--cutmix <alpha>', 'mix parts of images', positive, 0)
    .option('--ema <decay>', 'use the moving average of the weights, with a decay such as 0.999', fraction)
    .option('--checkpointing', 'gradient checkpointing: use less memory, and compute most of a pass twice')
    .option(
      '--drop-path <rate>',
      "drop path rate of the last block (default: the authors' for the model size)",
      fraction,
    )
    .option('--dropout <rate>', 'dropout rate before the classifier', fraction)
    .option('--freeze <modules...>', 'parameters that are not trained, such as patch_embed levels.0')
    .option('--new-head', 'train a new classifier for the classes of the data')
    .option('--image-size <pixels>', "side of the images (default: the model's)", integerFrom(8))
    .option('--augment', 'augment with random crops, mirroring, colours and erased parts')
    .option('--seed <n>', 'seed of all random numbers', integerFrom(0), 0)
    .option(
      '--order <file>',
      'a .safetensors file with `index` [steps, batch] int32: the images of every step',
      pathOf,
    )
    .option('--limit <n>', 'use only the first images of the data', integerFrom(1))
    .option('--validation <data>', 'held-out images (default: the held-out part of the data)', pathOf)
    .option('--validation-limit <n>', 'use only the first held-out images', integerFrom(1))
    .option(
      '--evaluate-every <steps>',
      'evaluate on the held-out images every n steps (default: only at the end)',
      integerFrom(1),
    )
    .option(
      '--patience <n>',
      'end training after this many evaluations without a better accuracy',
      integerFrom(1),
    )
    .option('--save-every <steps>', 'save a state to resume from', integerFrom(1), 100)
    .option('--resume', 'resume the run in --out')
    .option('--json', 'print one JSON document');
  withBackend(command).action(async (model: string, data: string, options: Options) => {
    const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
    await train(model, data, options, isGiven);
  });
}

async function train(
  modelPath: string,
  dataPath: string,
  given: Options,
  isGiven: (name: string) => boolean,
): Promise<void> {
  if (given.steps !== undefined && given.epochs !== undefined) {
    throw new Failure(BAD_USAGE, '--steps and --epochs: expected one of them');
  }
  const { TrainingRun } = await import('../training_run.js');
  const run = given.resume ? await TrainingRun.open(given.out) : undefined;
  const options = run ? recordedOptions(run.record, given, isGiven, FREE) : given;
  const { openImageSets } = await import('../data/image_sets.js');
  const sets = await openImageSets(dataPath);
  if (options.validation !== undefined) {
    sets.heldOut = (await openImageSets(options.validation)).train;
  }
  if (options.patience !== undefined && !sets.heldOut) {
    throw new Failure(BAD_USAGE, '--patience needs held-out images (--validation)');
  }
  const backend = await startBackend(options.backend);
  await registerGradients();
  const model = await loadClassifier(modelPath, options);
  try {
    await trainModel(model, sets, options, run, backend);
  } finally {
    model.dispose();
  }
}

/** Loads a model; a checkpoint is converted in memory. */
async function loadClassifier(path: string, { weights }: Options): Promise<GrootV> {
  const { GrootV } = await import('../../plugin/index.js');
  const isFile = !isUrl(path) && (await stat(path).catch(() => undefined))?.isFile();
  if (!isFile || path.endsWith('.json')) {
    if (weights !== undefined)
      throw new Failure(BAD_USAGE, '--weights is for checkpoints, not for converted models');
    return GrootV.load(await modelSource(path));
  }
  const { convertCheckpoint, MemorySink } = await import('../../converters/index.js');
  const source = await fileSource(path);
  try {
    const sink = new MemorySink();
    await convertCheckpoint(source, sink, { weights });
    return await GrootV.load(sink);
  } finally {
    await source.close();
  }
}

async function trainModel(
  model: GrootV,
  sets: ImageSets,
  options: Options,
  resumed: TrainingRun | undefined,
  backend: StartedBackend,
): Promise<void> {
  const training = await import('../../plugin/training/index.js');
  const { newHead, freeze, dropPath, dropout, seed, imageSize, batch } = options;
  const limited = (examples: Examples, most = Number.POSITIVE_INFINITY) =>
    training.firstExamples(examples, most);
  const fitted = (examples: Examples) => training.examplesFor(model, examples, newHead ?? false);
  const train = fitted(limited(sets.train, options.limit));
  const heldOut = sets.heldOut && fitted(limited(sets.heldOut, options.validationLimit));
  if (imageSize !== undefined) training.setImageSize(model, imageSize);
  const head = newHead && {
    classes: training.classesOf(train),
    ...(train.classNames && { classNames: train.classNames }),
    seed,
  };
  const trainable = training.trainable(model, {
    newHead: head || undefined,
    freeze,
    dropPath,
    dropout,
    seed,
  });
  try {
    const preparation = model.metadata.preprocessing;
    const order = options.order === undefined ? undefined : await readOrder(options.order);
    const batches = new training.Batches(train, {
      batch,
      preparation,
      seed,
      augment: options.augment,
      order,
    });
    const record = recordOf(model, options, train.labels);
    const run =
      resumed ?? (await (await import('../training_run.js')).TrainingRun.create(options.out, record));
    checkSame(run.record, record);
    const recipe = recipeOf(options, batches.batchesPerEpoch, training.cosineSchedule);
    const result = await follow(
      trainable,
      batches,
      recipe,
      run,
      options,
      heldOut && { heldOut, batch, preparation },
    );
    await finish(trainable, run, result, options, backend);
  } finally {
    trainable.dispose();
  }
}

function recipeOf(
  options: Options,
  batchesPerEpoch: number,
  cosine: typeof import('../../plugin/training/index.js')['cosineSchedule'],
): Recipe {
  const { accumulate, learningRate: peak, epochs = EPOCHS, ema } = options;
  const steps = options.steps ?? Math.max(1, Math.floor((epochs * batchesPerEpoch) / accumulate));
  const warmup = options.warmup ?? Math.min(WARM_UP, Math.floor(steps / 10));
  const learningRate = cosine({ start: RATE_START * peak, peak, end: RATE_END * peak, warmup, steps });
  const { optimizer, weightDecay, clip, labelSmoothing, mixup, cutmix, checkpointing, seed } = options;
  const rest = { optimizer, weightDecay, clip, labelSmoothing, mixup, cutmix, checkpointing, seed };
  return { steps, learningRate, accumulate, movingAverage: ema, ...rest };
}

interface HeldOut {
  readonly heldOut: Examples;
  readonly batch: number;
  readonly preparation: GrootV['metadata']['preprocessing'];
}

/** Trains, with progress, states and curves; Ctrl-C and SIGTERM end training after the current step. */
async function follow(
  trainable: Trainable<GrootV>,
  batches: InstanceType<typeof import('../../plugin/training/index.js')['Batches']>,
  recipe: Recipe,
  run: TrainingRun,
  { evaluateEvery, patience, saveEvery, resume: isResumed, out }: Options,
  heldOut: HeldOut | undefined,
): Promise<FitResult> {
  const { fit, inOrder } = await import('../../plugin/training/index.js');
  const resume = isResumed ? await run.newestState() : undefined;
  const interruption = new Interruption(new Failure(INTERRUPTED, `interrupted; --resume continues ${out}`));
  const bar = await TrainingBar.start(recipe.steps, resume?.progress.step ?? 0);
  let isDrawn = true;
  const save = async (state: Parameters<TrainingRun['saveState']>[0]) => {
    // Before the state: a run killed in between drops rows of steps after its state, and is missing none.
    try {
      await run.writeCurves();
    } catch (error) {
      if (isDrawn) note(`grootvl: ${(error as Error).message}`);
      isDrawn = false; // the reason would be the same every time
    }
    await run.saveState(state);
  };
  try {
    return await fit(trainable, batches, recipe, {
      resume,
      signal: interruption.signal,
      evaluateEvery,
      patience,
      saveEvery,
      save: (state) => interruption.finish(() => save(state)),
      onStep: (report) => {
        const { step, loss, accuracy, learningRate, gradientNorm } = report;
        run.rows.push({ step, loss, accuracy, learningRate, gradientNorm });
        bar.update(report);
      },
      heldOut: heldOut && (() => inOrder(heldOut.heldOut, heldOut)),
      onEvaluation: ({ step, loss, accuracy }) => {
        run.rows.push({ step, heldOutLoss: loss, heldOutAccuracy: accuracy });
        bar.evaluated(accuracy);
      },
    });
  } catch (error) {
    await run.writeCurves().catch(() => {}); // the error is more important
    throw error;
  } finally {
    bar.stop();
    interruption.dispose();
  }
}

/** Writes the model, and prints the result. */
async function finish(
  trainable: Trainable<GrootV>,
  run: TrainingRun,
  { steps, stopped, evaluation }: FitResult,
  { out, json }: Options,
  backend: StartedBackend,
): Promise<void> {
  const { exportCheckpoint } = await import('../../plugin/training/index.js');
  const { fileSystem } = await import('../file_system.js');
  const folder = join(out, 'model');
  await rm(folder, { recursive: true, force: true }); // from this run, which was completed before
  await trainable.save(fileSystem(folder));
  const checkpoint = join(out, 'model.safetensors');
  await writeFileAtomically(checkpoint, await exportCheckpoint(trainable));
  const last = run.rows.filter(({ loss }) => loss !== undefined).at(-1);
  if (json) {
    const heldOut = evaluation && { loss: evaluation.loss, accuracy: evaluation.accuracy };
    const { loss, accuracy } = last ?? {};
    printJson({ steps, stopped, loss, accuracy, heldOut, model: folder, checkpoint, backend });
    return;
  }
  const lines = [`${steps} steps${stopped === 'early' ? ', ended early' : ''} (${backend})`];
  if (last?.loss !== undefined) lines.push(`loss          ${last.loss.toFixed(4)}`);
  if (evaluation) {
    const { accuracy, loss, examples } = evaluation;
    lines.push(`held out      ${percent(accuracy)} right of ${examples}, loss ${loss.toFixed(4)}`);
  }
  print(
    `${lines.join('\n')}\nwritten to    ${inline(folder, 4096)}\n              ${inline(checkpoint, 4096)}`,
  );
}

/** Progress on a terminal. */
class TrainingBar {
  private heldOut = '';

  private constructor(private readonly bar: Awaited<ReturnType<typeof progressBar>>) {}

  static async start(steps: number, done: number): Promise<TrainingBar> {
    const format =
      '{bar} step {value} of {total}  loss {loss}  right {accuracy}{heldOut}  rate {rate}  {remaining} left';
    const bar = await progressBar(format);
    bar?.start(steps, done, { loss: '-', accuracy: '-', heldOut: '', rate: '-', remaining: '-' });
    return new TrainingBar(bar);
  }

  update({ step, loss, accuracy, learningRate, remainingSeconds }: StepReport): void {
    this.bar?.update(step, {
      loss: loss.toFixed(3),
      accuracy: percent(accuracy),
      heldOut: this.heldOut,
      rate: learningRate.toExponential(1),
      remaining: duration(remainingSeconds),
    });
  }

  evaluated(accuracy: number): void {
    this.heldOut = ` (held out ${percent(accuracy)})`;
  }

  stop(): void {
    this.bar?.stop();
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** The images of every step. */
async function readOrder(path: string): Promise<number[][]> {
  const { readTensors } = await import('../training_run.js');
  const { index } = await readTensors(path);
  if (index?.dtype !== 'int32' || index.shape.length !== 2 || index.values.length === 0) {
    throw new Error(`${path}: expected a tensor named index, int32 [steps, batch]`);
  }
  const [steps, batch] = index.shape;
  return Array.from({ length: steps }, (_, i) => [...index.values.subarray(i * batch, (i + 1) * batch)]);
}
