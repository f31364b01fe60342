/** Fine-tunes a language model on instructions, in pages and Node. */
import { dispose } from '@tensorflow/tfjs-core';
import {
  abortSignal,
  aFunction,
  options as checkOptions,
  integer,
  number,
  record,
} from '../models/checks.js';
import type { GrootL } from '../models/grootl.js';
import { nextTask } from '../next_task.js';
import { RandomNumbers } from '../random.js';
import { answerLoss, textInputs } from './answer_loss.js';
import type { FitOptions, StepReport } from './fit.js';
import { clipByGlobalNorm, GradientAccumulator } from './gradients.js';
import type { TextExample } from './instructions.js';
import type { LoraAdapter } from './lora.js';
import { firstNotFinite, NotFiniteError } from './not_finite.js';
import { AdamW } from './optimizers.js';
import { restoreState, saveState, type TrainingState } from './state.js';
import type { Trainable } from './trainable.js';

/** What is trained: an adapter, or a whole model. */
export type LanguageLearner = LoraAdapter | Trainable<GrootL>;

/** Hyperparameters. The defaults are those of the authors' script. */
export interface FineTuneRecipe {
  /** Total number of updates. */
  readonly steps: number;
  /**
   * Default 2e-5 after 20 steps of warm-up; a number is the rate of every step, a function returns it for a step, from 0.
   */
  readonly learningRate?: number | ((step: number) => number);
  /** Texts per update, each processed separately; default 16. */
  readonly batch?: number;
  /** Maximum norm of all gradients together; default 1. */
  readonly clip?: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Seed of the order of the texts; default 0. */
  readonly seed?: number;
}

/** Report of one update; the loss is the mean over its texts. */
export interface FineTuneStep extends Omit<StepReport, 'accuracy'> {
  /** Number of tokens processed. */
  readonly tokens: number;
}

/** Resumed training gives the same values as uninterrupted training. */
export interface FineTuneOptions extends Pick<FitOptions, 'save' | 'saveEvery' | 'resume'> {
  readonly onStep?: (step: FineTuneStep) => void;
  /** Aborts the training after the current text, with the signal's reason; the parameters are those after the last step. */
  readonly signal?: AbortSignal;
}

const RATE = 2e-5;
const WARM_UP = 20;
const POSITIVE = number(0, Number.MAX_VALUE);
/** Number of texts consumed. */
const POSITION = record({ texts: integer(0) });

/**
 * Trains on the answers of texts. Every epoch has its own order, which is determined by the seed.
 * @returns the number of updates, including those before `resume`
 * @throws {Error} one line, if an option is invalid, or a state belongs to another training; the signal's reason; a
 *   `NotFiniteError` if the loss or gradients are NaN or infinite: the parameters are then those before that step.
 */
export async function fineTune(
  learner: LanguageLearner,
  examples: readonly TextExample[],
  recipe: FineTuneRecipe,
  options: FineTuneOptions = {},
): Promise<number> {
  const { steps, batch = 16, clip = 1, weightDecay = 0, seed = 0 } = recipe;
  const { learningRate = (step: number) => RATE * Math.min(1, (step + 1) / WARM_UP) } = recipe;
  integer(1)(steps, 'fineTune: steps');
  integer(1)(examples.length, 'fineTune: the number of examples');
  checkOptions(recipe, 'fineTune', {
    learningRate: typeof learningRate === 'function' ? () => {} : POSITIVE,
    batch: integer(1),
    clip: number(Number.MIN_VALUE, Number.MAX_VALUE),
    weightDecay: POSITIVE,
    seed: integer(Number.MIN_SAFE_INTEGER),
  });
  checkOptions(options, 'fineTune', {
    onStep: aFunction,
    save: aFunction,
    saveEvery: integer(1),
    signal: abortSignal,
  });
  const { onStep, saveEvery, resume, signal } = options;
  const optimizer = new AdamW({ learningRate: 0, weightDecay });
  const accumulator = new GradientAccumulator();
  const start = performance.now();
  try {
    const first = resume ? await restore(learner, optimizer, batch, resume) : 0;
    let savedAt = first;
    const save = async (step: number, random = learner.randomState()) => {
      if (!options.save || savedAt === step) return;
      savedAt = step;
      const progress = { version: 1, step, position: { texts: step * batch }, random, waited: 0 } as const;
      await options.save(await saveState({ trainable: learner, optimizer }, progress));
    };
    const order = endless(examples, seed, first * batch);
    for (let step = first; step < steps; step++) {
      const random = learner.randomState();
      const began = performance.now();
      const rate = typeof learningRate === 'number' ? learningRate : learningRate(step);
      let [loss, tokens] = [0, 0];
      for (let row = 0; row < batch; row++) {
        if (signal?.aborted) {
          await save(step, random);
          throw signal.reason;
        }
        const example = order.next().value as TextExample;
        loss += (await accumulate(learner, example, accumulator, 1 / batch)) / batch;
        tokens += example.ids.length;
        await nextTask();
      }
      optimizer.learningRate = rate;
      const gradientNorm = await update(learner, optimizer, accumulator, clip, { step, rate, loss });
      const now = performance.now();
      const remainingSeconds = ((now - start) / 1000 / (step + 1 - first)) * (steps - step - 1);
      const seconds = (now - began) / 1000;
      onStep?.({
        ...{ step: step + 1, steps, loss, learningRate: rate },
        ...{ gradientNorm, tokens, seconds, remainingSeconds },
      });
      if (step + 1 === steps || (saveEvery && (step + 1) % saveEvery === 0)) await save(step + 1);
    }
    return Math.max(first, steps);
  } finally {
    optimizer.dispose();
    accumulator.dispose();
  }
}

/** @returns the number of steps done */
async function restore(
  learner: LanguageLearner,
  optimizer: AdamW,
  batch: number,
  state: TrainingState,
): Promise<number> {
  const { step, position } = state.progress;
  POSITION(position, 'the position of the data');
  const { texts } = position as { texts: number };
  if (texts !== step * batch) {
    throw new Error(`the state has learnt ${texts} texts in ${step} steps, expected ${batch} a step`);
  }
  await restoreState({ trainable: learner, optimizer }, state);
  return step;
}

/**
 * Yields all examples repeatedly, each epoch in a different order.
 * @param from number of texts to skip at the start
 */
function* endless(examples: readonly TextExample[], seed: number, from: number): Generator<TextExample> {
  const count = examples.length;
  let left = from % count;
  for (let epoch = Math.floor(from / count); ; epoch++) {
    const order = RandomNumbers.stream(seed, `epoch ${epoch}`).permutation(count);
    for (const index of order.subarray(left)) yield examples[index];
    left = 0;
  }
}

/**
 * Adds the gradients of a text.
 * @returns its loss
 */
async function accumulate(
  learner: LanguageLearner,
  { ids, labels }: TextExample,
  accumulator: GradientAccumulator,
  weight: number,
): Promise<number> {
  const inputs = textInputs({ ids, labels });
  try {
    const { value, logits, gradients } = learner.gradients(inputs, (logits) => answerLoss(logits, labels));
    logits.dispose();
    accumulator.add(gradients, weight);
    dispose(gradients);
    try {
      return (await value.data())[0];
    } finally {
      value.dispose();
    }
  } finally {
    dispose(inputs);
  }
}

interface Progress {
  readonly step: number;
  readonly rate: number;
  readonly loss: number;
}

/** @returns the norm of the gradients */
async function update(
  learner: LanguageLearner,
  optimizer: AdamW,
  accumulator: GradientAccumulator,
  clip: number,
  { step, rate, loss }: Progress,
): Promise<number> {
  const summed = accumulator.take();
  const { gradients, norm } = clipByGlobalNorm(summed, clip);
  try {
    const gradientNorm = (await norm.data())[0];
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      const what = Number.isFinite(loss)
        ? `the norm of the gradients is ${gradientNorm}`
        : `the loss is ${loss}`;
      const first = (await firstNotFinite(learner.parameters, summed)) ?? 'the loss itself';
      throw new NotFiniteError(step, rate, first, what);
    }
    optimizer.applyGradients(gradients);
    return gradientNorm;
  } finally {
    dispose([norm, summed, gradients]);
  }
}
