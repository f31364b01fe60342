/** Fine-tuning files: a language model trained in full, or only a LoRA adapter, step by step. */
import { dispose, type NamedTensorMap, scalar, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Adapter } from '../../plugin/models/adapter.js';
import type { GrootL } from '../../plugin/models/grootl.js';
import { batchOfTrees, treeOfParentIds } from '../../plugin/ops/spec/rooted_tree.js';
import { sizeOf } from '../../plugin/ops/spec/tensor.js';
import { toTorch } from '../../plugin/torch_layout.js';
import {
  AdamW,
  addLora,
  answerLoss,
  clipByGlobalNorm,
  GradientAccumulator,
  type LoraAdapter,
  type TextExample,
  type Trainable,
  textInputs,
  trainable,
} from '../../plugin/training/index.js';
import { gradientsOf } from '../../plugin/training/trainable.js';
import {
  type CaseTensor,
  type ConformanceCase,
  type ProgramContext,
  programCase,
  skippedCase,
} from '../case.js';
import type { Judgement } from '../judgement.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { type Comparison, comparison, judge } from '../verdict.js';
import { type CaseFile, LayoutError } from './case_file.js';
import type { CaseFolder } from './case_folder.js';
import { checkpointNamed, type LanguageCheckpoint } from './language_checkpoint.js';

/** Names of the runs that a file may have. */
const KINDS = ['full', 'lora'] as const;
type Kind = (typeof KINDS)[number];

/** The initial model of all runs. */
const START = 'grootl_tiny';
/** Factor of the adapter's products. */
const SCALING = 2;
/** PEFT's prefix and the suffixes of an adapter's matrices. */
const LOW_RANK = /^base_model\.model\.(.+)\.lora_(embedding_)?A(\.weight)?$/;

/** Number of steps on slow backends: emulated ones, and software renderers. */
const FEW_STEPS = 3;

interface RunBounds {
  readonly loss: readonly number[];
  readonly grad_norm: readonly number[];
  readonly travel: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, number>>;
  readonly logits_after: number;
}

/** The trained object: a whole model, or an adapter. */
export type Learner = Trainable<GrootL> | LoraAdapter;

/** The parameters of a run except its data. A wrong recipe differs in one of them. */
export interface LanguageRecipe {
  readonly clip: number;
  readonly epsilon: number;
  /** Factor of the adapter's products. */
  readonly scaling: number;
  /** The prompt length of a text. */
  readonly promptLength: (example: TextExample) => number;
  /** The weights of the texts in a step, by the number of trained tokens of each. */
  readonly weights: (learnt: readonly number[]) => number[];
  /** The text that is fed, given the text and its padded version. */
  readonly fed: (example: TextExample, padded: TextExample) => TextExample;
  /** The parent of each vertex, -1 for the root, replacing the reference's. */
  readonly parents: (parents: Int32Array) => Int32Array;
  readonly logits: (learner: Learner, inputs: NamedTensorMap) => Tensor;
}

export const RIGHT_RECIPE: LanguageRecipe = {
  clip: 1,
  epsilon: 1e-8,
  scaling: SCALING,
  promptLength: ({ labels }) => labels.filter((label) => label < 0).length,
  weights: (learnt) => learnt.map(() => 1 / learnt.length),
  fed: (example) => example,
  parents: (parents) => parents,
  logits: (learner, inputs) => learner.forward(inputs),
};

/** A run as stored in its file. */
export interface LanguageRun {
  readonly name: string;
  readonly kind: Kind;
  readonly checkpoint: LanguageCheckpoint;
  readonly file: CaseFile;
  readonly steps: number;
  readonly bounds: RunBounds;
}

export function isLanguageTrainingFile(file: CaseFile): boolean {
  return file.has('input_ids', 'labels', 'lengths') && KINDS.some((kind) => file.has(`${kind}.row_loss`));
}

export async function languageTrainingCases(file: CaseFile, folder: CaseFolder): Promise<ConformanceCase[]> {
  const cases: ConformanceCase[] = [];
  for (const run of await languageRuns(file, folder)) {
    for (const trees of ['pinned', 'own'] as const) {
      const what = run.kind === 'full' ? 'training' : 'LoRA training';
      const op = `GrootL ${what}, ${trees === 'pinned' ? 'trees pinned' : 'own trees'}`;
      cases.push(programCase(run.name, op, (context) => followRun(run, trees, context)));
    }
  }
  if (cases.length > 0) return cases;
  const reason = `no Mamba model ${START} among the files`;
  return [skippedCase(file.name, 'GrootL training', reason)];
}

/** The runs in a file; empty if their initial model is missing. */
export async function languageRuns(file: CaseFile, folder: CaseFolder): Promise<LanguageRun[]> {
  const checkpoint = await checkpointNamed(START, folder);
  if (!checkpoint) return [];
  return KINDS.filter((kind) => file.has(`${kind}.row_loss`)).map((kind) => {
    const [steps] = file.floats(`${kind}.loss`, 1).shape;
    const { bound_pinned: bounds } = JSON.parse(file.metadata.get(kind) ?? '{}');
    if (!bounds) throw new LayoutError(`${file.path}: its metadata have no bounds of ${kind}`);
    return { name: `${file.name} ${kind}`, kind, checkpoint, file, steps, bounds };
  });
}

/**
 * Trains as the file specifies and compares with it. No tree of these runs is near a tie: with its own trees, a run has to
 * satisfy the same bounds.
 * @param most maximum number of steps
 * @param recipe a wrong one, for the mutation check
 */
export function followRun(
  run: LanguageRun,
  trees: 'pinned' | 'own',
  { tolerance, backend }: ProgramContext,
  most = tolerance === 'shader' || backend === 'cuda' ? FEW_STEPS : run.steps,
  recipe = RIGHT_RECIPE,
): Promise<Judgement> {
  return run.checkpoint.useModel('tree', async (model) => {
    const { file, kind, bounds } = run;
    const expected = (name: string) => file.floats(`${kind}.${name}`);
    const learner = learnerOf(model, run, recipe);
    const optimizer = new AdamW({ learningRate: 0, epsilon: recipe.epsilon });
    const comparisons: Comparison[] = [];
    const compare = (tensor: string, given: ArrayLike<number>, of: ArrayLike<number>, bound: object) => {
      const zero = { absolute: 0, relative: 0, reason: 'five times the rounding of the reference' };
      comparisons.push(comparison(tensor, given, of, { ...zero, ...bound }));
    };
    try {
      const start = await valuesOf(learner);
      const steps = Math.min(most, run.steps);
      for (let step = 0; step < steps; step++) {
        optimizer.learningRate = expected('lr').values[step];
        const { losses, loss, norm } = await trainingStep(run, learner, optimizer, recipe, step, trees);
        const at = `of step ${step}`;
        const rows = expected('row_loss').values.slice(step * losses.length, (step + 1) * losses.length);
        compare(`losses of the texts ${at}`, losses, rows, { absolute: losses.length * bounds.loss[step] });
        compare(`loss ${at}`, [loss], [expected('loss').values[step]], { absolute: bounds.loss[step] });
        const expectedNorm = expected('grad_norm').values[step];
        compare(`gradient norm ${at}`, [norm], [expectedNorm], { relative: bounds.grad_norm[step] });
        const updates = String(step + 1);
        const state = statesAfter(run, updates);
        if (state.size === 0) continue;
        const { travel, largest } = distances(await valuesOf(learner), start, state);
        compare(`travel after ${updates}`, [travel], [0], { absolute: bounds.travel[updates] });
        compare(`parameters after ${updates}`, [largest], [0], { absolute: bounds.params[updates] });
      }
      const after = `logits_after_${steps}_row0_last16`;
      if (file.has(`${kind}.${after}`)) {
        const parents = file.ints(`${kind}.trees_after_${steps}_row0`, 2);
        const [example] = textsOf(run, 0);
        const logits = await logitsOf(learner, recipe, example, trees === 'pinned' ? parents : undefined);
        const last = logits.values.slice(-expected(after).values.length);
        compare(after, last, expected(after).values, { absolute: bounds.logits_after });
      }
      return judge(comparisons);
    } finally {
      optimizer.dispose();
      learner.dispose();
    }
  });
}

function learnerOf(model: GrootL, { kind, file }: LanguageRun, { scaling }: LanguageRecipe): Learner {
  if (kind === 'full') return trainable(model);
  const modules = file.names.flatMap((name): Adapter['modules'] => {
    const match = name.startsWith('lora.init.') ? LOW_RANK.exec(name.slice('lora.init.'.length)) : null;
    if (!match) return [];
    const side = (tensor: string) => {
      const { shape, values } = file.floats(tensor, 2);
      return { shape: [shape[0], shape[1]] as const, values: Float32Array.from(values) };
    };
    const other = name.replace(/A(\.weight)?$/, 'B$1');
    const isEmbedding = match[2] !== undefined;
    return [{ module: match[1], isEmbedding, scaling, a: side(name), b: side(other) }];
  });
  return addLora(model, { initial: { modules } });
}

interface Step {
  /** For each text. */
  readonly losses: number[];
  readonly loss: number;
  /** Of the gradients, before clipping. */
  readonly norm: number;
}

async function trainingStep(
  run: LanguageRun,
  learner: Learner,
  optimizer: AdamW,
  recipe: LanguageRecipe,
  step: number,
  trees: 'pinned' | 'own',
): Promise<Step> {
  const examples = textsOf(run, step);
  const weights = recipe.weights(
    examples.map(({ text }) => text.labels.filter((label) => label >= 0).length),
  );
  const accumulator = new GradientAccumulator();
  const losses: number[] = [];
  const all = run.file.ints(`${run.kind}.trees`, 4);
  for (const [row, example] of examples.entries()) {
    const parents = trees === 'pinned' ? part(part(all, step), row) : undefined;
    const inputs = inputsOf(example, recipe, parents);
    const { labels } = recipe.fed(example.text, example.padded);
    const { value, logits, gradients } = gradientsOf(
      () => recipe.logits(learner, inputs),
      learner.variables,
      (logits) => answerLoss(logits, labels),
    );
    losses.push((await value.data())[0]);
    accumulator.add(gradients, weights[row]);
    dispose([value, logits, gradients, inputs]);
  }
  const summed = accumulator.take();
  const { gradients, norm } = clipByGlobalNorm(summed, recipe.clip);
  optimizer.applyGradients(gradients);
  const given = (await norm.data())[0];
  dispose([summed, gradients, norm]);
  return { losses, loss: losses.reduce((sum, loss, row) => sum + weights[row] * loss, 0), norm: given };
}

/** A text in a step, without and with the padding that it has in the file. */
interface PaddedText {
  readonly text: TextExample;
  readonly padded: TextExample;
}

function textsOf({ file }: LanguageRun, step: number): PaddedText[] {
  const row = (name: string, i: number) => Array.from(part(part(file.ints(name, 3), step), i).values);
  return Array.from(part(file.ints('lengths', 2), step).values, (length, i) => {
    const padded = { ids: row('input_ids', i), labels: row('labels', i) };
    const text = { ids: padded.ids.slice(0, length), labels: padded.labels.slice(0, length) };
    return { text, padded };
  });
}

/** @param parents [layers, L] of the reference's trees, or undefined for the run's own */
function inputsOf(
  { text, padded }: PaddedText,
  recipe: LanguageRecipe,
  parents: CaseTensor | undefined,
): NamedTensorMap {
  const fed = recipe.fed(text, padded);
  const inputs = textInputs(fed);
  inputs.prompt_length.dispose();
  inputs.prompt_length = scalar(recipe.promptLength(fed), 'int32');
  const layers = parents?.shape[0] ?? 0;
  for (let layer = 0; layer < layers; layer++) {
    const given = part(parents as CaseTensor, layer).values.slice(0, text.ids.length) as Int32Array;
    const { order, parent } = batchOfTrees([treeOfParentIds(recipe.parents(given))]);
    inputs[`layers_${layer}/order`] = toTensor(order);
    inputs[`layers_${layer}/parent`] = toTensor(parent);
  }
  return inputs;
}

async function logitsOf(
  learner: Learner,
  recipe: LanguageRecipe,
  example: PaddedText,
  parents: CaseTensor | undefined,
): Promise<CaseTensor> {
  const inputs = inputsOf(example, recipe, parents);
  const logits = tidy(() => recipe.logits(learner, inputs));
  try {
    return await readTensor(logits);
  } finally {
    dispose([logits, inputs]);
  }
}

type Values = ReadonlyMap<string, Float32Array>;

/** All parameters in PyTorch's layout. */
async function valuesOf({ parameters }: Learner): Promise<Values> {
  const values = new Map<string, Float32Array>();
  for (const [name, { variable, ...layout }] of parameters) {
    values.set(name, toTorch((await variable.data()) as Float32Array, layout).slice());
  }
  return values;
}

/** The parameters in the file after the given number of updates. */
function statesAfter({ file, kind }: LanguageRun, updates: string): Values {
  const prefix = `${kind}.after_${updates}.`;
  const names = file.names.filter((name) => name.startsWith(prefix));
  return new Map(
    names.map((name) => [name.slice(prefix.length), Float32Array.from(file.floats(name).values)]),
  );
}

/**
 * The distance of all parameters from the reference's, relative to that of the reference from the start; and the largest
 * difference of a value.
 */
function distances(given: Values, start: Values, reference: Values): { travel: number; largest: number } {
  let [squares, way, largest] = [0, 0, 0];
  for (const [name, expected] of reference) {
    const [values, from] = [given.get(name), start.get(name)];
    if (!values || !from) throw new LayoutError(`the file has the parameter ${name}, which is not trained`);
    // Of large tensors a file has only every n-th value.
    const stride = Math.ceil(values.length / expected.length);
    for (const [i, value] of expected.entries()) {
      const difference = Math.abs(values[i * stride] - value);
      squares += difference ** 2;
      way += (value - from[i * stride]) ** 2;
      // NaN counts as the largest.
      if (!(difference <= largest)) largest = difference;
    }
  }
  return { travel: Math.sqrt(squares / way), largest };
}

/** One item of the first axis. */
function part<T extends CaseTensor>(tensor: T, index: number): T {
  const [, ...shape] = tensor.shape;
  const size = sizeOf(shape);
  return { ...tensor, shape, values: tensor.values.slice(index * size, (index + 1) * size) };
}
