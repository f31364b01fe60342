/** Training with one mistake is detected by the cases of training files, for each kind of mistake. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { treeScan } from '../../plugin/index.js';
import { AdamW, type AdamWOptions } from '../../plugin/training/index.js';
import { fixturePath } from '../../testing/fixtures.js';
import { ready } from '../../wasm/index.js';
import { memorySource } from '../source.js';
import { readCaseFile } from './case_file.js';
import { followRun } from './training_file.js';
import { type Recipe, readRun, type TrainingRun } from './training_run.js';

interface Wrong {
  /** Number of steps after which it is detected. */
  readonly steps: number;
  readonly recipe?: (right: Recipe) => Recipe;
  /** Modifies the gradients of the tree scan. */
  readonly kernel?: (right: tf.KernelFunc) => tf.KernelFunc;
}

type Optimizer = Recipe['optimizer'];
const optimizer = (change: Partial<Record<string, unknown>>) => (right: Recipe) => ({
  ...right,
  optimizer: { ...right.optimizer, ...change } as Optimizer,
});

/** Mistakes for both optimisers. */
const COMMON: Readonly<Record<string, Wrong>> = {
  'no gradient to the decays': {
    steps: 1,
    kernel: (right) => (call) => {
      const [dx, ddecay] = right(call) as tf.TensorInfo[];
      return [dx, tf.keep(tf.zeros(ddecay.shape))];
    },
  },
  'feature gradient without the downward pass': {
    steps: 1,
    kernel: (right) => (call) => {
      const [, ddecay] = right(call) as tf.TensorInfo[];
      const { dy, decay, order, parent } = call.inputs as tf.NamedTensorMap;
      return [treeScan(dy, decay, { order, parent }, { aggregate: 'root' }), ddecay];
    },
  },
  'BatchNorm in eval mode': {
    steps: 1,
    recipe: (right) => ({ ...right, model: { freeze: ['conv_head.1.0'] } }),
  },
  'BatchNorm momentum 0.01': {
    steps: 1,
    recipe: (right) => ({ ...right, model: { batchNormMomentum: 0.01 } }),
  },
  'no label smoothing': { steps: 1, recipe: (right) => ({ ...right, labelSmoothing: 0 }) },
  'no clipping': { steps: 1, recipe: (right) => ({ ...right, clip: 1e9 }) },
};

/** Excludes parameters from weight decay. */
const notDecayed = (pattern: RegExp) => (right: Recipe) =>
  optimizer({ decays: (name: string) => right.optimizer.decays?.(name) && !pattern.test(name) })(right);

/** Adam with weight decay in its gradient. */
class CoupledAdam extends AdamW {
  constructor(private readonly coupled: AdamWOptions) {
    super({ ...coupled, weightDecay: 0 });
  }

  override applyGradients(gradients: tf.NamedTensorMap): void {
    tf.tidy(() => {
      const variables = tf.engine().registeredVariables;
      const { decays = () => true, weightDecay = 0 } = this.coupled;
      const decayed = Object.entries(gradients).map(([name, gradient]) => [
        name,
        decays(name) ? tf.add(gradient, tf.mul(variables[name], weightDecay)) : gradient,
      ]);
      super.applyGradients(Object.fromEntries(decayed));
    });
  }
}

const WRONG: Readonly<Record<string, Readonly<Record<string, Wrong>>>> = {
  nano_adamw: {
    ...COMMON,
    'decay on everything': { steps: 1, recipe: optimizer({ decays: () => true }) },
    'A_logs not decayed': { steps: 5, recipe: notDecayed(/A_logs$/) },
    'dt_projs_bias not decayed': { steps: 1, recipe: notDecayed(/dt_projs_bias$/) },
    'no decay': { steps: 1, recipe: optimizer({ weightDecay: 0 }) },
    'decay in the gradient (Adam)': {
      steps: 1,
      recipe: (right) => ({
        ...right,
        makeOptimizer: () => new CoupledAdam(right.optimizer as AdamWOptions),
      }),
    },
    'eps 1e-6': { steps: 1, recipe: optimizer({ epsilon: 1e-6 }) },
    'beta2 0.99': { steps: 5, recipe: optimizer({ beta2: 0.99 }) },
  },
  nano_sgd: {
    ...COMMON,
    Nesterov: { steps: 1, recipe: optimizer({ nesterov: true }) },
    'weight decay 0.05': { steps: 1, recipe: optimizer({ weightDecay: 0.05, decays: () => true }) },
    'momentum 0': { steps: 3, recipe: optimizer({ momentum: 0 }) },
  },
};

/**
 * Checked by `npm test`, in the run that is part of the repository. `GROOTVL_LONG=1` checks all, if the long runs are present.
 */
const CARRIED = [
  'no gradient to the decays',
  'BatchNorm momentum 0.01',
  'no clipping',
  'decay on everything',
];
const isLong = process.env.GROOTVL_LONG === '1';

for (const [name, variants] of Object.entries(WRONG)) {
  const part = isLong ? name : `${name}_short`;
  t.test(part, { skip: !fixturePath(`training/${part}.safetensors`) && 'the run is not here' }, async (t) => {
    await tf.setBackend('wasm');
    await ready();
    const run = await openRun(part);
    const follow = (steps: number, recipe?: Recipe) => followRun(run, 'pinned', { steps, recipe });
    t.match(await follow(1), { verdict: 'pass' }, 'the right one passes');
    for (const [what, { steps, recipe, kernel }] of Object.entries(variants)) {
      if (!isLong && !CARRIED.includes(what)) continue;
      const judgement = await withKernel(kernel, () => follow(steps, recipe?.(run.recipe)));
      t.equal(judgement.verdict, 'fail', `${what}: ${judgement.reason}`);
    }
  });
}

async function openRun(name: string): Promise<TrainingRun> {
  const batches = name.replace(/nano_(adamw|sgd)/, 'nano_batches');
  const paths = [
    ...[name, batches].map((file) => `training/${file}.safetensors`),
    'grootv/grootv_nano_mnist.pth',
  ];
  const files = new Map(
    paths.map((path) => [path, new Uint8Array(readFileSync(fixturePath(path) as string))]),
  );
  const source = memorySource(files);
  const [path] = paths;
  return readRun(await readCaseFile(await source.open(path), path), { source, paths, use: () => {} });
}

/** Runs with another kernel of scan gradients. */
async function withKernel<T>(change: Wrong['kernel'], body: () => Promise<T>): Promise<T> {
  const right = tf.getKernel('TreeScanGradient', 'wasm');
  if (!change) return body();
  tf.unregisterKernel(right.kernelName, right.backendName);
  tf.registerKernel({ ...right, kernelFunc: change(right.kernelFunc) });
  try {
    return await body();
  } finally {
    tf.unregisterKernel(right.kernelName, right.backendName);
    tf.registerKernel(right);
  }
}
