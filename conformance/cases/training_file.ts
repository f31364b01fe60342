/** Files of training runs, and of the gradients in their first step. */
import { dispose, type Tensor } from '@tensorflow/tfjs-core';
import { toTorch } from '../../plugin/torch_layout.js';
import {
  AdamW,
  clipByGlobalNorm,
  crossEntropy,
  Momentum,
  type Trainable,
  trainable,
} from '../../plugin/training/index.js';
import { trainingBound } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, type ProgramContext, programCase } from '../case.js';
import type { Judgement } from '../judgement.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { type Comparison, comparison, judge } from '../verdict.js';
import { type CaseFile, LayoutError, readCaseFile } from './case_file.js';
import { type CaseFolder, inFolder } from './case_folder.js';
import { type ModelUnderTest, treeFeeds } from './model_under_test.js';
import { json, partOf, type Recipe, readRun, sampled, type TrainingRun } from './training_run.js';

/** Number of steps on slow backends: emulated ones, and software renderers. */
const FEW_STEPS = 3;

/** Factor between the effect of rounding on the reference and the bound, the same for gradients as files use for runs. */
const NOISE_FACTOR = 5;

/** Runs whose first step has the gradients of `nano_step0_gradients`. */
const RUNS = ['nano_sgd', 'nano_adamw'];

type Trees = 'pinned' | 'own';

export function isTrainingFile(file: CaseFile): boolean {
  return file.has('loss', 'grad_norm', 'lr', 'logits') && file.metadata.has('optimizer');
}

export async function trainingFileCases(file: CaseFile, folder: CaseFolder): Promise<ConformanceCase[]> {
  const run = await readRun(file, folder);
  const kinds: Record<Trees, string> = { pinned: 'trees pinned', own: 'own trees' };
  return (['pinned', 'own'] as const)
    .filter((trees) => run.bounds[trees])
    .map((trees) =>
      programCase(file.name, `GrootV training, ${kinds[trees]}`, (context) => {
        const isSlow = context.tolerance === 'shader' || context.backend === 'cuda';
        return followRun(run, trees, { steps: isSlow ? FEW_STEPS : run.steps });
      }),
    );
}

/**
 * Trains as the file specifies, and compares with it.
 * @param options.steps maximum number of steps
 * @param options.recipe a wrong one, for the mutation check
 */
export function followRun(
  run: TrainingRun,
  trees: Trees,
  { steps, recipe = run.recipe }: { steps: number; recipe?: Recipe },
): Promise<Judgement> {
  return run.checkpoint.use(async (model) => {
    const bounds = run.bounds[trees];
    if (!bounds) throw new LayoutError(`${run.name} has no bounds for ${trees} trees`);
    const comparisons: Comparison[] = [];
    const compare = (
      tensor: string,
      given: ArrayLike<number>,
      expected: ArrayLike<number>,
      { absolute = 0, relative = 0 }: { absolute?: number; relative?: number },
    ) => comparisons.push(comparison(tensor, given, expected, trainingBound(absolute, relative)));
    const trained = trainable(model.model, recipe.model);
    const { optimizer: settings, makeOptimizer } = recipe;
    const optimizer =
      makeOptimizer?.() ?? (settings.kind === 'adamw' ? new AdamW(settings) : new Momentum(settings));
    const start = new Map<string, Float32Array>();
    try {
      for (const name of trained.parameters.keys()) start.set(name, await torchValues(trained, name));
      for (let step = 0; step < Math.min(steps, run.steps); step++) {
        optimizer.learningRate = run.learningRates[step];
        await withStep(run, { trained, model, recipe, step, trees }, async ({ value, logits, gradients }) => {
          const clipped = clipByGlobalNorm(gradients, recipe.clip);
          optimizer.applyGradients(clipped.gradients);
          dispose(Object.values(clipped.gradients));
          const norm = await readTensor(clipped.norm);
          clipped.norm.dispose();
          const [loss, given] = [await readTensor(value), await readTensor(logits)];
          const at = `of step ${step}`;
          compare(`loss ${at}`, loss.values, [run.losses[step]], { absolute: bounds.loss[step] });
          compare(`gradient norm ${at}`, norm.values, [run.norms[step]], {
            relative: bounds.grad_norm[step],
          });
          compare(`logits ${at}`, given.values, run.logits(step).values, { absolute: bounds.logits[step] });
        });
        const state = run.states.get(step + 1);
        if (!state) continue;
        for (const [name, { value, where }] of Object.entries(await distances(run, trained, start, state))) {
          const bound = bounds[name as 'travel']?.[String(step + 1)];
          if (bound === undefined) continue;
          compare(`${name} after ${step + 1}${where && ` (${where})`}`, [value], [0], { absolute: bound });
        }
      }
      return judge(comparisons);
    } finally {
      optimizer.dispose();
      trained.dispose();
    }
  });
}

export function isFirstGradientsFile(file: CaseFile): boolean {
  return file.metadata.has('max_and_noise');
}

/** Tensors `grad.<parameter>`: gradients of the first step before clipping, the same for every run. */
export async function firstGradientsCases(file: CaseFile, folder: CaseFolder): Promise<ConformanceCase[]> {
  const path = RUNS.map((name) => inFolder(file.path, `${name}${partOf(file)}.safetensors`)).find((each) =>
    folder.paths.includes(each),
  );
  if (!path) throw new LayoutError(`${file.path}: no run is beside it, expected ${RUNS.join(' or ')}`);
  const run = await readRun(await readCaseFile(await folder.source.open(path), path), folder);
  const noise = json<Record<string, readonly [largest: number, noise: number]>>(file, 'max_and_noise');
  const stride = Number(file.metadata.get('stride'));
  const names = file.names.filter((name) => name.startsWith('grad.')).map((name) => name.slice(5));
  const compare = async (trained: Trainable, gradients: Record<string, Tensor>, context: ProgramContext) => {
    const comparisons: Comparison[] = [];
    for (const name of names) {
      const { values: expected } = file.floats(`grad.${name}`);
      const parameter = trained.parameters.get(name);
      const gradient = parameter && gradients[parameter.variable.name];
      if (!gradient) throw new LayoutError(`the model has no gradient in ${name}`);
      const given = toTorch((await gradient.data()) as Float32Array, parameter);
      const factor = { float32: NOISE_FACTOR, shader: 10 * NOISE_FACTOR }[context.tolerance];
      const bound = trainingBound(factor * (noise[name]?.[1] ?? 0), 0);
      comparisons.push(comparison(name, sampled(given, expected.length, stride), expected, bound));
    }
    return judge(comparisons);
  };
  const runCase = (context: ProgramContext) =>
    run.checkpoint.use(async (model) => {
      const { recipe } = run;
      const trained = trainable(model.model, recipe.model);
      try {
        const step = { trained, model, recipe, step: 0, trees: 'pinned' } as const;
        return await withStep(run, step, ({ gradients }) => compare(trained, gradients, context));
      } finally {
        trained.dispose();
      }
    });
  return [programCase(file.name, 'GrootV training, first gradients', runCase)];
}

interface Step {
  readonly trained: Trainable;
  readonly model: ModelUnderTest;
  readonly recipe: Recipe;
  readonly step: number;
  readonly trees: Trees;
}

/** Passes the loss and gradients of a step to `body`, and frees them. */
async function withStep<T>(
  run: TrainingRun,
  { trained, model, recipe: { labelSmoothing }, step, trees }: Step,
  body: (result: ReturnType<Trainable['gradients']>) => Promise<T>,
): Promise<T> {
  const images = run.images(step);
  const given = trees === 'pinned' ? run.trees(step) : [];
  model.checkTrees(given, images.shape);
  const feeds = Object.entries({ normalized: images, ...treeFeeds(given) });
  const inputs = Object.fromEntries(feeds.map(([name, value]) => [name, toTensor(value)]));
  const labels = toTensor(run.labels(step));
  const made: Tensor[] = [labels, ...Object.values(inputs)];
  try {
    const result = trained.gradients(inputs, (y) => crossEntropy(y, labels, { labelSmoothing }));
    made.push(result.value, result.logits, ...Object.values(result.gradients));
    return await body(result);
  } finally {
    dispose(made);
  }
}

/** The values of a parameter as PyTorch stores them. */
async function torchValues(trained: Trainable, name: string): Promise<Float32Array> {
  const parameter = trained.parameters.get(name);
  if (!parameter) throw new LayoutError(`the model has no parameter ${name}`);
  return toTorch((await parameter.variable.data()) as Float32Array, parameter);
}

/** A value, and the parameter that it belongs to. */
interface Distance {
  value: number;
  where: string;
}

/** Distances between a state and the reference's. */
async function distances(
  run: TrainingRun,
  trained: Trainable,
  start: ReadonlyMap<string, Float32Array>,
  state: ReadonlyMap<string, CaseTensor>,
): Promise<Record<'travel' | 'travel_worst' | 'params' | 'running', Distance>> {
  const [worst, params, running] = Array.from({ length: 3 }, (): Distance => ({ value: 0, where: '' }));
  const raise = (figure: Distance, value: number, where: string) => {
    if (!(value <= figure.value)) Object.assign(figure, { value, where });
  };
  let [apart, travelled] = [0, 0];
  for (const [name, { values: expected }] of state) {
    if (run.undetermined.has(name)) continue;
    const before = sampled(start.get(name) ?? new Float32Array(), expected.length, run.stride);
    const now = sampled(await torchValues(trained, name), expected.length, run.stride);
    if (now.length !== expected.length) {
      throw new LayoutError(`${run.name}: ${name} has ${expected.length} values, expected ${now.length}`);
    }
    let [off, way, largest, size] = [0, 0, 0, 0];
    for (const [i, value] of now.entries()) {
      off += (value - expected[i]) ** 2;
      way += (expected[i] - before[i]) ** 2;
      largest = Math.max(largest, Math.abs(value - expected[i])); // NaN is kept
      size = Math.max(size, Math.abs(expected[i]));
    }
    if (/\.running_(mean|var)$/.test(name)) {
      raise(running, largest / size, name);
      continue;
    }
    apart += off;
    travelled += way;
    raise(params, largest, name);
    if (off !== 0) raise(worst, Math.sqrt(off / way), name);
  }
  const travel = { value: apart === 0 ? 0 : Math.sqrt(apart / travelled), where: '' };
  return { travel, travel_worst: worst, params, running };
}
