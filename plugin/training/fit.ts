/** Trains a classifier, in pages and Node. */
import {
  argMax,
  cast,
  dispose,
  equal,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tensor1d,
  tidy,
} from '@tensorflow/tfjs-core';
import {
  abortSignal,
  aFunction,
  boolean,
  options as checkOptions,
  integer,
  number,
} from '../models/checks.js';
import type { GrootV } from '../models/grootv.js';
import { nextTask } from '../next_task.js';
import { RandomNumbers } from '../random.js';
import type { Batch } from './data/batches.js';
import { type Evaluation, evaluateClassifier } from './evaluate.js';
import { clipByGlobalNorm, GradientAccumulator } from './gradients.js';
import { crossEntropy } from './losses.js';
import { cutmix, mixup } from './mixing.js';
import { MovingAverage } from './moving_average.js';
import { explainNotFinite } from './not_finite.js';
import { AdamW, Momentum } from './optimizers.js';
import { decayedParameters } from './schedules.js';
import { restoreState, saveState, type TrainingState } from './state.js';
import type { Gradients, Trainable } from './trainable.js';

/** Hyperparameters. The defaults are those of the authors' training, except for the learning rate. */
export interface Recipe {
  /** Total number of updates. */
  readonly steps: number;
  /** For every step, or as a function of the step, from 0, such as `cosineSchedule` returns. */
  readonly learningRate: number | ((step: number) => number);
  /** Default 'adamw'; 'sgd' uses momentum 0.9 with Nesterov's correction. */
  readonly optimizer?: 'adamw' | 'sgd';
  /** Applied to the parameters that decay by the authors' rule; default 0.05. */
  readonly weightDecay?: number;
  /** Maximum norm of all gradients together; 0: no clipping. Default 5. */
  readonly clip?: number;
  /** Default 0.1. */
  readonly labelSmoothing?: number;
  /** Alpha of mixup; 0 (the default): none. With both mixup and CutMix, each batch uses one of them. */
  readonly mixup?: number;
  /** Alpha of CutMix; 0 (the default): none. */
  readonly cutmix?: number;
  /** Decay of a moving average of the weights, which is used for evaluation and ends up in the model; default none. */
  readonly movingAverage?: number;
  /** Batches per update; default 1. */
  readonly accumulate?: number;
  /** Whether activations are recomputed instead of kept: less memory, more time; default false. */
  readonly checkpointing?: boolean;
  /** Seed of mixup and CutMix; default 0. */
  readonly seed?: number;
}

/** A source of batches, such as `Batches`. */
export interface BatchSource {
  next(): Promise<Batch>;
  /** Position of the next batch: plain JSON. */
  readonly position: unknown;
  restore(position: unknown): void;
}

/** Report of one update. */
export interface StepReport {
  /** Number of updates done, including this one. */
  readonly step: number;
  readonly steps: number;
  /** Mean over the batches of the update, before the update. */
  readonly loss: number;
  /** Fraction of examples whose label (the one with the largest share if they are mixed) is the most probable class. */
  readonly accuracy: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Seconds for this update, including image loading. */
  readonly seconds: number;
  /** Estimated seconds to the end, from the previous steps. */
  readonly remainingSeconds: number;
}

/** Evaluation on held-out examples after some steps. */
export interface EvaluationReport extends Evaluation {
  readonly step: number;
}

export interface FitOptions {
  readonly onStep?: (report: StepReport) => void;
  readonly onEvaluation?: (report: EvaluationReport) => void;
  /** Returns the held-out examples, once through. */
  readonly heldOut?: () => AsyncIterable<Batch>;
  /** Steps between evaluations; there is always one after the last step. Default: only that one. */
  readonly evaluateEvery?: number;
  /** Number of evaluations without better accuracy after which training stops early; default: never. */
  readonly patience?: number;
  /** Stores a state from which training can resume. */
  readonly save?: (state: TrainingState) => Promise<void>;
  /** Steps between saved states; one is also saved at the end, and when the signal aborts the training. */
  readonly saveEvery?: number;
  /** Resumes from a state passed to `save`. */
  readonly resume?: TrainingState;
  /** Aborts the training after the current step, with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface FitResult {
  /** Number of updates, including those before `resume`. */
  readonly steps: number;
  /** Whether all steps were done, or `patience` stopped the training. */
  readonly stopped: 'finished' | 'early';
  readonly evaluation?: EvaluationReport;
}

const DEFAULTS = {
  optimizer: 'adamw',
  weightDecay: 0.05,
  clip: 5,
  labelSmoothing: 0.1,
  mixup: 0,
  cutmix: 0,
  accumulate: 1,
  checkpointing: false,
  seed: 0,
} as const;

type FullRecipe = Required<Omit<Recipe, 'movingAverage'>> & Pick<Recipe, 'movingAverage'>;

/** Of torch.optim.SGD in the authors' code. */
const MOMENTUM = 0.9;
/** Number of steps from which the remaining time is estimated. */
const TIMED_STEPS = 20;

/**
 * Trains a classifier. The model always has the current weights; with a moving average, it has the average at the end.
 * @param data batches of images for the node `image`
 * @throws {Error} one line: an invalid option, an image that cannot be read, a state of another training; a `NotFiniteError`
 *   if the loss or gradients are NaN or infinite; the signal's reason.
 */
export async function fit(
  trainable: Trainable<GrootV>,
  data: BatchSource,
  recipe: Recipe,
  options: FitOptions = {},
): Promise<FitResult> {
  checkRecipe(recipe);
  checkFitOptions(options);
  const training = new Training(
    trainable,
    data,
    { ...DEFAULTS, ...withoutUndefined(recipe) } as FullRecipe,
    options,
  );
  try {
    return await training.run();
  } finally {
    training.dispose();
  }
}

class Training {
  private readonly optimizer: AdamW | Momentum;
  private readonly average: MovingAverage | undefined;
  private readonly accumulator = new GradientAccumulator();
  private readonly classes: number;
  private step = 0;
  private best: { step: number; accuracy: number } | undefined;
  private waited = 0;
  private evaluation: EvaluationReport | undefined;
  private times: number[] = [];

  constructor(
    private readonly trainable: Trainable<GrootV>,
    private readonly data: BatchSource,
    private readonly recipe: FullRecipe,
    private readonly options: FitOptions,
  ) {
    const { optimizer, weightDecay, movingAverage } = recipe;
    const decay = { learningRate: 0, weightDecay, decays: decayedParameters(trainable) };
    this.optimizer =
      optimizer === 'sgd' ? new Momentum({ ...decay, momentum: MOMENTUM, nesterov: true }) : new AdamW(decay);
    if (movingAverage) this.average = new MovingAverage(trainable, movingAverage);
    this.classes = trainable.model.metadata.architecture.classes;
  }

  async run(): Promise<FitResult> {
    const { signal, resume, onStep, evaluateEvery, saveEvery, patience } = this.options;
    const { steps } = this.recipe;
    if (resume) await this.resume(resume);
    let savedAt = this.step;
    const save = async () => {
      if (savedAt !== this.step) await this.save();
      savedAt = this.step;
    };
    const isDone = () => this.step >= steps || (patience !== undefined && this.waited >= patience);
    while (!isDone()) {
      if (signal?.aborted) {
        await save();
        throw signal.reason;
      }
      const report = await this.update();
      onStep?.(report);
      const isLast = this.step >= steps;
      if (isLast || (evaluateEvery && this.step % evaluateEvery === 0)) await this.evaluate();
      if (saveEvery && this.step % saveEvery === 0) await save();
      await nextTask(); // lets aborts and page events be processed
    }
    await save();
    this.average?.swap();
    return {
      steps: this.step,
      stopped: this.step >= steps ? 'finished' : 'early',
      evaluation: this.evaluation,
    };
  }

  dispose(): void {
    this.optimizer.dispose();
    this.average?.dispose();
    this.accumulator.dispose();
  }

  /** Performs one update. */
  private async update(): Promise<StepReport> {
    const start = performance.now();
    const { accumulate, learningRate: rate, clip } = this.recipe;
    const learningRate = typeof rate === 'number' ? rate : rate(this.step);
    const sums = { loss: 0, right: 0, examples: 0 };
    for (let part = 0; part < accumulate; part++) {
      const pass = await this.pass(part, learningRate);
      sums.loss += pass.loss / accumulate;
      sums.right += pass.right;
      sums.examples += pass.examples;
    }
    const gradients = this.accumulator.take();
    try {
      const { gradients: clipped, norm } = clipByGlobalNorm(gradients, clip > 0 ? clip : Number.MAX_VALUE);
      try {
        const gradientNorm = (await norm.data())[0];
        if (!Number.isFinite(gradientNorm)) {
          throw await explainNotFinite(this.trainable, {
            step: this.step,
            learningRate,
            gradients,
            gradientNorm,
          });
        }
        this.optimizer.learningRate = learningRate;
        this.optimizer.applyGradients(clip > 0 ? clipped : gradients);
        this.average?.update();
        this.step++;
        const seconds = (performance.now() - start) / 1000;
        return {
          ...this.report(seconds),
          loss: sums.loss,
          accuracy: sums.right / sums.examples,
          learningRate,
          gradientNorm,
        };
      } finally {
        dispose([norm, clipped]);
      }
    } finally {
      dispose(gradients);
    }
  }

  /** Adds the gradients of one batch. */
  private async pass(part: number, learningRate: number) {
    const { accumulate, labelSmoothing, checkpointing } = this.recipe;
    const batch = await this.data.next();
    const { images, targets } = this.mix(batch, part);
    let results: { value: Tensor; logits: Tensor; gradients: Gradients } | undefined;
    try {
      results = this.trainable.gradients(
        images,
        (logits) => crossEntropy(logits, targets, { labelSmoothing }),
        { checkpointing },
      );
      const loss = (await results.value.data())[0];
      if (!Number.isFinite(loss)) {
        throw await explainNotFinite(this.trainable, { step: this.step, learningRate, images, loss });
      }
      this.accumulator.add(results.gradients, 1 / accumulate);
      const { logits } = results;
      const right = tidy(() => sum(cast(equal(argMax(logits, -1), classesOf(targets)), 'int32')));
      const count = (await right.data())[0];
      right.dispose();
      return { loss, right: count, examples: images.shape[0] };
    } finally {
      dispose([images, targets]);
      if (results) dispose([results.value, results.logits, results.gradients]);
    }
  }

  /** Mixes the batch if the recipe says so. The given batch is consumed. */
  private mix(
    { images, labels }: Batch,
    part: number,
  ): { images: Batch['images']; targets: Tensor1D | Tensor2D } {
    const { mixup: mixupAlpha, cutmix: cutmixAlpha, seed } = this.recipe;
    const classes = tensor1d(labels, 'int32');
    if (mixupAlpha === 0 && cutmixAlpha === 0) return { images, targets: classes };
    const random = RandomNumbers.stream(seed, `mixing ${this.step} ${part}`);
    const isCut = cutmixAlpha > 0 && (mixupAlpha === 0 || random.next() < 0.5);
    const mixed = (isCut ? cutmix : mixup)(images, classes, {
      alpha: isCut ? cutmixAlpha : mixupAlpha,
      classes: this.classes,
      random,
    });
    dispose([images, classes]);
    return mixed;
  }

  private report(seconds: number): Pick<StepReport, 'step' | 'steps' | 'seconds' | 'remainingSeconds'> {
    const { steps } = this.recipe;
    this.times = [...this.times, seconds].slice(-TIMED_STEPS);
    // The first step of a run also compiles kernels.
    const counted =
      this.times.length > 1 && this.times.length < TIMED_STEPS ? this.times.slice(1) : this.times;
    const mean = counted.reduce((sum, time) => sum + time, 0) / counted.length;
    return { step: this.step, steps, seconds, remainingSeconds: mean * (steps - this.step) };
  }

  private async evaluate(): Promise<void> {
    const { heldOut, onEvaluation, signal } = this.options;
    if (!heldOut) return;
    this.average?.swap();
    try {
      const result = await evaluateClassifier(this.trainable.model, heldOut(), { signal });
      this.evaluation = { step: this.step, ...result };
    } finally {
      this.average?.swap();
    }
    const { accuracy } = this.evaluation;
    const isBetter = this.best === undefined || accuracy > this.best.accuracy;
    if (isBetter) this.best = { step: this.step, accuracy };
    this.waited = isBetter ? 0 : this.waited + 1;
    onEvaluation?.(this.evaluation);
  }

  private async save(): Promise<void> {
    const { trainable, optimizer, average, data, step, best, waited } = this;
    if (!this.options.save) return;
    const random = trainable.randomState();
    const progress = { version: 1, step, position: data.position, random, best, waited } as const;
    await this.options.save(await saveState({ trainable, optimizer, average }, progress));
  }

  private async resume(state: TrainingState): Promise<void> {
    const { trainable, optimizer, average } = this;
    await restoreState({ trainable, optimizer, average }, state);
    this.data.restore(state.progress.position);
    const { step, best, waited } = state.progress;
    Object.assign(this, { step, best, waited });
  }
}

/** Returns the class indices of labels or probabilities. */
function classesOf(targets: Tensor1D | Tensor2D): Tensor {
  return targets.rank === 1 ? targets : argMax(targets, -1);
}

function withoutUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function checkRecipe(recipe: Recipe): void {
  const positive = number(0, Number.MAX_VALUE);
  checkOptions(recipe, 'fit', {
    optimizer: (value, name) => {
      if (value !== 'adamw' && value !== 'sgd')
        throw new Error(`${name} is ${value}, expected 'adamw' or 'sgd'`);
    },
    weightDecay: positive,
    clip: positive,
    labelSmoothing: number(0, 1),
    mixup: positive,
    cutmix: positive,
    movingAverage: number(0, 1),
    accumulate: integer(1),
    checkpointing: boolean,
    seed: integer(Number.MIN_SAFE_INTEGER),
  });
  integer(1)(recipe.steps, 'fit: steps');
  if (typeof recipe.learningRate !== 'function') positive(recipe.learningRate, 'fit: learningRate');
}

function checkFitOptions(options: FitOptions): void {
  checkOptions(options, 'fit', {
    onStep: aFunction,
    onEvaluation: aFunction,
    heldOut: aFunction,
    evaluateEvery: integer(1),
    patience: integer(1),
    save: aFunction,
    saveEvery: integer(1),
    signal: abortSignal,
  });
  if (options.patience !== undefined && !options.heldOut) {
    throw new Error('fit: patience needs held-out examples (heldOut)');
  }
}
