/** Tests the training loop: it matches PyTorch, stops correctly, and resumes to the same weights bit for bit. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import type { MemorySink } from '../../converters/index.js';
import { onBackend } from '../../testing/backends.js';
import { randomClassifier } from '../../testing/checkpoints.js';
import { fixturePath } from '../../testing/fixtures.js';
import { loadConverted } from '../../testing/models.js';
import { GrootV } from '../index.js';
import {
  Batches,
  cosineSchedule,
  type Examples,
  type FitOptions,
  fit,
  idxExamples,
  inOrder,
  NotFiniteError,
  type Recipe,
  type StepReport,
  type Trainable,
  type TrainableOptions,
  type TrainingState,
  trainable,
} from './index.js';

const file = (name: string) => {
  const path = fixturePath(`training/${name}-ubyte.gz`) as string;
  return { name: path, bytes: new Uint8Array(readFileSync(path)) };
};
await tf.setBackend('cpu');
const fashion = await idxExamples({
  images: file('fashion-images-idx3'),
  labels: file('fashion-labels-idx1'),
});
const { model: loaded, sink } = await loadConverted('grootv/grootv_nano_mnist.pth');
loaded.dispose();

const small = await randomClassifier({ channels: 8, depths: [1, 1, 1], layerScale: true, classes: 4 });

/** The nano model, loaded again. */
async function nano(options: TrainableOptions = {}): Promise<Trainable<GrootV>> {
  return trainable(await GrootV.load(sink as MemorySink), options);
}

function dispose(trained: Trainable<GrootV>): void {
  trained.dispose();
  trained.model.dispose();
}

/** A digest of every value of a model. */
async function weightsOf(trained: Trainable<GrootV>): Promise<string> {
  const hash = createHash('sha256');
  for (const [name, { variable }] of trained.parameters) hash.update(name).update(await variable.data());
  return hash.digest('hex');
}

t.test('a few steps on Fashion-MNIST follow PyTorch', async (t) => {
  const expected: Record<'head_weight' | 'loss' | 'grad_norm' | 'lr', number[]> = JSON.parse(
    readFileSync(fixturePath('training/fashion_short.json') as string, 'utf8'),
  );
  const { leaked } = await onBackend('wasm', async () => {
    const trained = await nano({ newHead: 10 });
    setHead(trained, expected.head_weight);
    const order = Array.from({ length: 5 }, (_, s) => Array.from({ length: 32 }, (_, i) => 32 * s + i));
    const batches = new Batches(fashion, {
      preparation: { ...trained.model.metadata.preprocessing, size: 64 },
      order,
    });
    const learningRate = cosineSchedule({ start: 1e-4, peak: 1e-3, end: 1e-5, warmup: 20, steps: 200 });
    const reports: StepReport[] = [];
    const result = await fit(
      trained,
      batches,
      { steps: 3, learningRate },
      { onStep: (report) => reports.push(report) },
    );
    t.same(result, { steps: 3, stopped: 'finished', evaluation: undefined });
    for (const [
      i,
      { step, loss, learningRate, gradientNorm, accuracy, seconds, remainingSeconds },
    ] of reports.entries()) {
      t.equal(step, i + 1);
      t.ok(Math.abs(loss - expected.loss[i]) < 1e-3, `loss ${loss}, expected ${expected.loss[i]}`);
      t.ok(Math.abs(learningRate - expected.lr[i]) < 1e-9);
      t.ok(Math.abs(gradientNorm / expected.grad_norm[i] - 1) < 1e-2, String(gradientNorm));
      t.ok(accuracy >= 0 && accuracy < 0.6 && Number.isInteger(accuracy * 32));
      t.ok(seconds > 0 && remainingSeconds >= 0);
    }
    t.equal(reports[2].remainingSeconds, 0);
    dispose(trained);
  });
  t.equal(leaked, 0);
});

function setHead(trained: Trainable<GrootV>, torch: number[]): void {
  const { variable } = trained.parameters.get('head.weight') as { variable: tf.Variable };
  const [features, classes] = variable.shape as [number, number];
  const weight = tf.tidy(() => tf.transpose(tf.tensor2d(torch, [classes, features])));
  variable.assign(weight);
  weight.dispose();
}

/** Everything that has state: moving average, mixing, augmentation, drop path, accumulation. */
const RECIPE: Recipe = {
  steps: 4,
  learningRate: (step) => 1e-3 / (step + 1),
  movingAverage: 0.9,
  mixup: 0.8,
  cutmix: 1,
  accumulate: 2,
  seed: 5,
};

/** Trains a small model on small images. */
async function run(
  recipe: Partial<Recipe>,
  options: FitOptions = {},
  {
    examples = fashion,
    dropPath = 0.3,
    augment = true,
  }: { examples?: Examples; dropPath?: number; augment?: boolean } = {},
) {
  const trained = trainable(await GrootV.load(small), {
    newHead: { classes: 10, seed: 3 },
    dropPath,
    seed: 7,
    freeze: ['patch_embed'],
  });
  const preparation = { ...trained.model.metadata.preprocessing, size: 16 };
  const batches = new Batches(examples, { batch: 2, preparation, seed: 4, augment });
  try {
    const heldOut = () =>
      inOrder({ ...examples, labels: examples.labels.subarray(0, 6) }, { batch: 4, preparation });
    const result = await fit(
      trained,
      batches,
      { ...RECIPE, ...recipe },
      options.patience ? { ...options, heldOut } : options,
    );
    return { result, weights: await weightsOf(trained), position: batches.position };
  } finally {
    dispose(trained);
  }
}

for (const backend of ['cpu', 'wasm'] as const) {
  t.test(`a run that ended in between continues to the same weights on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const whole = await run({});
      t.same(whole.position, { epoch: 0, batch: 8 });
      const kept: TrainingState[] = [];
      const controller = new AbortController();
      const save = async (state: TrainingState) => {
        kept.push({ ...state, progress: JSON.parse(JSON.stringify(state.progress)) });
      };
      const onStep = ({ step }: StepReport) => {
        if (step === 3) controller.abort(new Error('enough'));
      };
      const { signal } = controller;
      await t.rejects(run({}, { save, saveEvery: 2, signal, onStep }), { message: 'enough' });
      t.same(
        kept.map(({ progress }) => progress.step),
        [2, 3],
        'every two steps, and where it was ended',
      );
      for (const resume of kept) {
        const resumed = await run({}, { resume });
        t.equal(resumed.weights, whole.weights, `from step ${resume.progress.step}`);
      }
      const other = await run({ seed: 6 }, { resume: kept[0] });
      t.not(other.weights, whole.weights, 'the comparison can fail');
    });
    t.equal(leaked, 0);
  });
}

t.test(
  'training ends early where held-out accuracy does not rise; sgd; the average is what is evaluated',
  async (t) => {
    const { leaked } = await onBackend('wasm', async () => {
      const seen: number[] = [];
      const options = {
        evaluateEvery: 1,
        patience: 2,
        onEvaluation: ({ step }: { step: number }) => seen.push(step),
      };
      const { result } = await run(
        { steps: 50, learningRate: 0, accumulate: 1, optimizer: 'sgd', weightDecay: 0, clip: 0 },
        options,
      );
      t.match(result, { steps: 3, stopped: 'early', evaluation: { step: 3, examples: 6 } });
      t.same(seen, [1, 2, 3]);
    });
    t.equal(leaked, 0);
  },
);

t.test('a loss that is not finite stops with the step, the rate and the first such tensor', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const plain = { dropPath: 0, augment: false };
    const error: NotFiniteError = await run(
      { learningRate: 1e30, clip: 0, mixup: 0, cutmix: 0 },
      {},
      plain,
    ).catch((e) => e);
    t.ok(error instanceof NotFiniteError, String(error));
    t.equal(error.learningRate, 1e30);
    t.match(
      error.message,
      /^step 2: the loss is (NaN|-?Infinity) at a learning rate of 1e\+30; the first tensor that is not finite: the (node|parameter) /,
    );
    const trained = await nano();
    const { variable } = trained.parameters.get('levels.1.norm.0.weight') as { variable: tf.Variable };
    const broken = tf.fill(variable.shape, Number.NaN);
    variable.assign(broken);
    broken.dispose();
    const preparation = { ...trained.model.metadata.preprocessing, size: 16 };
    const failing = fit(trained, new Batches(fashion, { batch: 2, preparation }), {
      steps: 1,
      learningRate: 0.1,
    });
    await t.rejects(failing, {
      message:
        /step 1: the loss is NaN at a learning rate of 0.1; the first tensor that is not finite: the parameter levels.1.norm.0.weight/,
    });
    dispose(trained);
  });
  t.equal(leaked, 0);
});

t.test('options that make no sense, and states of something else', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    for (const [recipe, message] of [
      [{ steps: 0 }, /fit: steps is 0, expected an integer of at least 1/],
      [{ clip: -1 }, /fit: clip is -1/],
      [{ labelSmoothing: 2 }, /fit: labelSmoothing is 2/],
      [{ learningRate: Number.NaN }, /fit: learningRate is NaN/],
      [{ optimizer: 'adam' as 'sgd' }, /fit: optimizer is adam, expected 'adamw' or 'sgd'/],
    ] as const) {
      await t.rejects(run(recipe), { message });
    }
    const states: TrainingState[] = [];
    await run({ steps: 1 }, { save: async (state) => void states.push(state) });
    const [state] = states;
    const { progress, tensors } = state;
    const head = tensors['model/head.bias'];
    const without = (name: string) =>
      Object.fromEntries(Object.entries(tensors).filter(([each]) => each !== name));
    for (const [changed, message] of [
      [{ progress, tensors: without('model/head.bias') }, /the state lacks model\/head.bias/],
      [{ progress, tensors: without('average/head.bias') }, /the state lacks average\/head.bias/],
      [{ progress, tensors: without('optimizer/iter') }, /the state lacks optimizer\/iter/],
      [
        { progress, tensors: { ...tensors, 'model/head.bias': { ...head, shape: [2, 5] } } },
        /model\/head.bias is float32 \[2,5\], expected float32 \[10\]/,
      ],
      [
        { progress, tensors: { ...tensors, 'optimizer/x/m': head } },
        /the state has optimizer\/x\/m, which the model has not/,
      ],
      [{ progress, tensors: { ...tensors, __proto__x: head } }, /unknown tensor "__proto__x"/],
      [{ progress: { ...progress, step: -1 }, tensors }, /the progress.step is -1/],
      [{ progress: { ...progress, version: 2 as 1 }, tensors }, /the progress.version is 2/],
      [
        { progress: { ...progress, position: { epoch: 0, batch: 1e6 } }, tensors },
        /the position of the data is batch 1000000/,
      ],
      [{ progress: { ...progress, random: { random: 0.5 } }, tensors }, /random is 0.5/],
    ] as const) {
      await t.rejects(run({}, { resume: changed }), { message });
    }
    await t.rejects(run({ movingAverage: undefined }, { resume: state }), {
      message: /a moving average, the recipe has none/,
    });
  });
  t.equal(leaked, 0);
});
