/** A training run as stored in its file: losses, gradient norms and logits of every step, and parameters after some. */
import type { BatchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import type {
  AdamW,
  AdamWOptions,
  Momentum,
  MomentumOptions,
  TrainableOptions,
} from '../../plugin/training/index.js';
import type { CaseTensor } from '../case.js';
import { type CaseFile, LayoutError, readCaseFile } from './case_file.js';
import { type CaseFolder, inFolder } from './case_folder.js';
import { normalizedDigits } from './model_inputs.js';
import { CheckpointUnderTest } from './model_under_test.js';
import { treesOfParentIds } from './tree_cases.js';

/** Bounded values of a run: for every step, and for every stored state, by the number of preceding updates. */
export interface RunBounds {
  readonly loss: readonly number[];
  readonly grad_norm: readonly number[];
  readonly logits: readonly number[];
  readonly travel: Readonly<Record<string, number>>;
  readonly travel_worst?: Readonly<Record<string, number>>;
  readonly params?: Readonly<Record<string, number>>;
  readonly running: Readonly<Record<string, number>>;
}

/** The parameters of a run except its data. A wrong recipe differs in one of them. */
export interface Recipe {
  readonly labelSmoothing: number;
  /** Maximum norm of the gradients. */
  readonly clip: number;
  readonly model: TrainableOptions;
  readonly optimizer:
    | ({ readonly kind: 'sgd' } & MomentumOptions)
    | ({ readonly kind: 'adamw' } & AdamWOptions);
  /** Replaces the optimiser of these options. */
  readonly makeOptimizer?: () => AdamW | Momentum;
}

export interface TrainingRun {
  readonly name: string;
  readonly checkpoint: CheckpointUnderTest;
  readonly steps: number;
  readonly recipe: Recipe;
  /** The reference's trees in a step. */
  readonly trees: (step: number) => BatchOfTrees[];
  /** [N, 64, 64, 3], normalised. */
  readonly images: (step: number) => CaseTensor;
  /** [N] int32. */
  readonly labels: (step: number) => CaseTensor;
  readonly learningRates: ArrayLike<number>;
  readonly losses: ArrayLike<number>;
  readonly norms: ArrayLike<number>;
  /** [N, classes] */
  readonly logits: (step: number) => CaseTensor;
  /** Parameters and running statistics by number of updates, then by name; of large ones every `stride`-th value. */
  readonly states: ReadonlyMap<number, ReadonlyMap<string, CaseTensor>>;
  readonly stride: number;
  /** Parameters whose gradient consists only of rounding errors. */
  readonly undetermined: ReadonlySet<string>;
  readonly bounds: { readonly pinned: RunBounds; readonly own?: RunBounds };
}

/** The initial checkpoint of all runs. */
const CHECKPOINT = 'grootv_nano_mnist.pth';

/** The largest tensor that is stored completely in a sampled state. */
const WHOLE = 4096;

/** @throws {LayoutError} if the batches or the checkpoint of the run are missing */
export async function readRun(file: CaseFile, folder: CaseFolder): Promise<TrainingRun> {
  const { batches, checkpoint } = await filesOf(file, folder);
  const [steps] = file.floats('loss', 1).shape;
  const blocks = file.names.filter((name) => /^trees\..*\.parent$/.test(name)).sort();
  const states = new Map<number, Map<string, CaseTensor>>();
  for (const name of file.names) {
    const [, updates, parameter] = /^after_(\d+)\.(.+)$/.exec(name) ?? [];
    if (!parameter) continue;
    const state = states.get(Number(updates)) ?? new Map<string, CaseTensor>();
    states.set(Number(updates), state.set(parameter, file.floats(name)));
  }
  const own = json<RunBounds>(file, 'bound_own_trees');
  return {
    name: file.name,
    checkpoint,
    steps,
    recipe: recipeOf(file),
    trees: (step) => blocks.map((name) => treesOfParentIds(item(file.ints(name, 3), step))),
    images: (step) => normalizedDigits(item(batches.tensor('images_u8', 4), step)),
    labels: (step) => item(batches.ints('labels', 2), step),
    learningRates: file.floats('lr', 1).values,
    losses: file.floats('loss', 1).values,
    norms: file.floats('grad_norm', 1).values,
    logits: (step) => item(file.floats('logits', 3), step),
    states,
    stride: Number(file.metadata.get('stride')),
    undetermined: new Set(json<string[]>(file, 'zero_gradient')),
    bounds: { pinned: json(file, 'bound_pinned'), ...(own.loss && { own }) },
  };
}

/** The optimiser as specified in the file's metadata. */
interface OptimizerSettings {
  readonly kind: 'sgd' | 'adamw';
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly wd: number;
  readonly clip: number;
  readonly betas: readonly number[];
  readonly eps?: number;
}

function recipeOf(file: CaseFile): Recipe {
  const settings = json<OptimizerSettings>(file, 'optimizer');
  const { kind, momentum, nesterov, wd, clip, eps } = settings;
  const [beta1, beta2] = settings.betas;
  const decayed = new Set(json<string[]>(file, 'decay'));
  const common = { learningRate: 0, weightDecay: wd, decays: (name: string) => decayed.has(name) };
  return {
    labelSmoothing: 0.1,
    clip,
    model: {},
    optimizer:
      kind === 'sgd'
        ? { kind, ...common, momentum, nesterov }
        : { kind, ...common, beta1, beta2, epsilon: eps },
  };
}

/** The batches are in the same folder, the checkpoint may be anywhere. Parts of runs have parts of the batches. */
async function filesOf(
  file: CaseFile,
  folder: CaseFolder,
): Promise<{ readonly batches: CaseFile; readonly checkpoint: CheckpointUnderTest }> {
  const { paths, source } = folder;
  const batches = inFolder(file.path, `nano_batches${partOf(file)}.safetensors`);
  const checkpoint = paths.find((path) => path === CHECKPOINT || path.endsWith(`/${CHECKPOINT}`));
  if (!paths.includes(batches)) throw new LayoutError(`${file.path}: ${batches} is not there`);
  if (!checkpoint) throw new LayoutError(`${file.path}: the checkpoint ${CHECKPOINT} is not there`);
  folder.use(batches);
  folder.use(checkpoint);
  return {
    batches: await readCaseFile(await source.open(batches), batches),
    checkpoint: new CheckpointUnderTest(source, checkpoint, { weights: 'model' }),
  };
}

/** `_short` for a part of a longer file. */
export function partOf(file: CaseFile): string {
  return /_short$/.exec(file.name)?.[0] ?? '';
}

/** Every `stride`-th value, if not all are stored. */
export function sampled(values: Float32Array, stored: number, stride: number): Float32Array {
  return stored < values.length && values.length > WHOLE ? values.filter((_, i) => i % stride === 0) : values;
}

/** Item `index` of the leading axis. */
function item<T extends CaseTensor>(tensor: T, index: number): T {
  const [items, ...shape] = tensor.shape;
  const size = tensor.values.length / items;
  return { ...tensor, shape, values: tensor.values.subarray(index * size, (index + 1) * size) };
}

/** @throws {LayoutError} if the metadata have no such JSON */
export function json<T>(file: CaseFile, key: string): T {
  try {
    return JSON.parse(file.metadata.get(key) ?? '');
  } catch {
    throw new LayoutError(`${file.path}: its metadata have no JSON ${key}`);
  }
}
