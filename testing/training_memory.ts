/**
 * A shared test: what training leaves in memory on the current backend. After three steps kernels and optimisers have allocated
 * what they keep; from then on all counts must stay the same.
 */
import * as tf from '@tensorflow/tfjs-core';
import { GrootL, GrootV, type ModelSource } from '../plugin/index.js';
import {
  addLora,
  Batches,
  fineTune,
  firstExamples,
  fit,
  IGNORED_LABEL,
  imageExamples,
  inOrder,
  RandomNumbers,
  type Recipe,
  trainable,
} from '../plugin/training/index.js';
import { randomClassifier } from './checkpoints.js';

/** What a backend holds in addition to tfjs's tensors, by name. */
export type Counts = Readonly<Record<string, number>>;

export interface MemoryRun {
  /** MEMORY_STEPS by default. */
  readonly steps?: number;
  /** Counts of the backend itself. */
  readonly backendCounts?: () => Counts;
  /** Called after each step; used by a control that leaks. */
  readonly onStep?: () => void;
}

export interface MemoryUse {
  /** After the third step. */
  readonly settled: Counts;
  /** Differences after the last step. */
  readonly changed: Counts;
  /** Tensors left after model and training have been disposed of. */
  readonly left: number;
}

/** GROOTVL_LONG=1: as many as in a short training run. Counts are exact, so fewer steps are enough to detect a leak per step. */
export const MEMORY_STEPS = process.env.GROOTVL_LONG ? 200 : 4;
const SETTLED = 3;
const SIDE = 16;
const CLASSES = ['a', 'b', 'c'];

/** Everything that keeps tensors between steps or creates them in a step. */
const RECIPE: Omit<Recipe, 'steps'> = {
  learningRate: 1e-3,
  movingAverage: 0.9,
  mixup: 0.8,
  cutmix: 1,
  accumulate: 2,
  clip: 1,
};

/** Every kind of layer at least once; by default, trees of 16 vertices, of 4 and of 1. */
const SIZES = { channels: 8, depths: [1, 1, 1], layerScale: true, classes: 10 };

/** Trains a classifier with `fit`, with augmented images, evaluations and states. */
export async function classifierMemory(
  run: MemoryRun,
  recipe: Partial<Recipe> = {},
  {
    side = SIDE,
    depths = SIZES.depths,
  }: { readonly side?: number; readonly depths?: readonly number[] } = {},
): Promise<MemoryUse> {
  const source = await randomClassifier({ ...SIZES, depths: [...depths] });
  return watch(run, async (onStep) => {
    const model = await GrootV.load(source);
    const trained = trainable(model, { newHead: CLASSES, dropPath: 0.2, dropout: 0.1 });
    const preparation = { ...model.metadata.preprocessing, size: side };
    const examples = randomImages(6, side);
    const batches = new Batches(examples, { batch: 2, preparation, augment: true });
    await fit(
      trained,
      batches,
      { ...RECIPE, ...recipe, steps: run.steps ?? MEMORY_STEPS },
      {
        onStep,
        heldOut: () => inOrder(firstExamples(examples, 2), { preparation }),
        evaluateEvery: 1,
        save: async () => {},
        saveEvery: 1,
      },
    );
    trained.dispose();
    model.dispose();
  });
}

/** Trains an adapter of a language model with `fineTune`, attached and detached. */
export function adapterMemory(source: ModelSource, run: MemoryRun): Promise<MemoryUse> {
  return watch(run, async (onStep) => {
    const model = await GrootL.load(source);
    const lora = addLora(model, { rank: 2, dropout: 0.1 });
    // As with real texts: of different lengths, with labels on their ends.
    const examples = [4, 6].map((length) => {
      const ids = Array.from({ length }, (_, i) => 5 + 7 * i);
      return { ids, labels: ids.map((id, i) => (i < 2 ? IGNORED_LABEL : id)) };
    });
    await fineTune(
      lora,
      examples,
      { steps: run.steps ?? MEMORY_STEPS, batch: 2, learningRate: 1e-3 },
      { onStep },
    );
    await model.attach(lora);
    model.detach();
    lora.dispose();
    model.dispose();
  });
}

/** Test functions available in Node and in pages. */
interface Test {
  equal<T>(given: T, expected: T, what: string): unknown;
}

export function checkMemory(t: Test, { settled, changed, left }: MemoryUse): void {
  t.equal(JSON.stringify(changed), '{}', `what changed of ${JSON.stringify(settled)}`);
  t.equal(left, 0, 'tensors that are left when it is over');
}

async function watch(
  { steps = MEMORY_STEPS, backendCounts = () => ({}), onStep }: MemoryRun,
  body: (onStep: () => void) => Promise<void>,
): Promise<MemoryUse> {
  const before = tf.memory().numTensors;
  const counts = (): Counts => {
    const { numTensors, numDataBuffers } = tf.memory();
    return { numTensors, numDataBuffers, dataIds: tf.backend().numDataIds(), ...backendCounts() };
  };
  let [step, settled, last]: [number, Counts, Counts] = [0, {}, {}];
  await body(() => {
    step++;
    onStep?.();
    if (step === SETTLED) settled = counts();
    if (step === steps) last = counts();
  });
  const changes = Object.entries(last).map(([name, value]) => [name, value - settled[name]] as const);
  return {
    settled,
    changed: Object.fromEntries(changes.filter(([, change]) => change !== 0)),
    left: tf.memory().numTensors - before,
  };
}

function randomImages(count: number, side: number) {
  const random = new RandomNumbers(1);
  return imageExamples(
    Array.from({ length: count }, (_, i) => ({
      label: CLASSES[i % CLASSES.length],
      image: {
        width: side,
        height: side,
        data: Uint8Array.from({ length: side * side * 3 }, () => random.integer(0, 255)),
      },
    })),
  );
}
