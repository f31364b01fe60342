/** A converted model in training: its weights as variables under their PyTorch names, and a pass in training mode. */
import { GraphModel } from '@tensorflow/tfjs-converter';
import {
  add,
  dispose,
  type io,
  keep,
  mul,
  type NamedTensorMap,
  type Scalar,
  Tensor,
  type Tensor4D,
  tensor,
  tidy,
  type Variable,
  variableGrads,
} from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernels/sizes.js';
import { gradientsInParts, planParts } from '../models/checkpointing.js';
import { options as checkOptions, integer, number, quote, show } from '../models/checks.js';
import type { Detector } from '../models/detector.js';
import { type EditedGraph, GraphEditor } from '../models/graph_editor.js';
import type { GrootL } from '../models/grootl.js';
import type { GrootV } from '../models/grootv.js';
import { checkGradients, useOwnGradients } from '../models/own_gradients.js';
import type { Segmenter } from '../models/segmenter.js';
import { RandomNumbers } from '../random.js';
import { COMPUTED_ATTRIBUTE, readLayout, type TorchLayout } from '../torch_layout.js';
import { type NewHead, replaceHead } from './new_head.js';
import { parameterVariable } from './parameter_names.js';
import { checkSelection, type Selection, selects } from './selection.js';
import {
  addDropout,
  addDropPath,
  averageSinglePixels,
  type BatchStatistics,
  type RandomFactor,
  runningStatistics,
  useBatchStatistics,
} from './training_graph.js';

/** Models that can be trained. */
export type TrainableModel = GrootV | GrootL | Segmenter | Detector | GraphModel;

export interface TrainableOptions {
  /** Parameters to train; by default all. */
  readonly parameters?: Selection;
  /** Parameters to exclude. A frozen BatchNorm keeps its running statistics. */
  readonly freeze?: Selection;
  /** A new classifier: its number of classes, or their names. */
  readonly newHead?: NewHead;
  /**
   * Drop path probability of the last block, from 0 to below 1; the rates of earlier blocks decrease linearly to 0. The
   * default is the authors': GrootV-T 0.1, -S 0.3, -B 0.5, other sizes 0.
   */
  readonly dropPath?: number;
  /** Dropout probability of the features before the classifier, from 0 to below 1; default 0. */
  readonly dropout?: number;
  /** Weight of a batch's statistics in the running ones; default 0.1, as in PyTorch. */
  readonly batchNormMomentum?: number;
  /** Seed of dropout and drop path; default 0. */
  readonly seed?: number;
}

/** A PyTorch parameter or running statistic. */
export interface TrainedParameter extends TorchLayout {
  /** The values, in the layout of the constant that they replace. */
  readonly variable: Variable;
  /** Whether an optimiser may change it. */
  readonly trained: boolean;
}

/** Gradients by variable name, as tf.variableGrads returns and optimisers accept them. */
export type Gradients = Record<string, Tensor>;

export interface GradientOptions {
  /** Keeps less in memory, and computes most of the pass twice; the values are the same. */
  readonly checkpointing?: boolean;
}

/** State of the random numbers of a trainable model. */
export interface RandomState {
  readonly random: number;
}

/** The authors' drop path rates. */
const DROP_PATH: Readonly<Record<string, number>> = { 'GrootV-T': 0.1, 'GrootV-S': 0.3, 'GrootV-B': 0.5 };

const PROBABILITY = number(0, 1 - 2 ** -20);

/** Models that are currently trainable. */
const inTraining = new WeakSet<GraphModel>();

/**
 * Makes a model trainable: its weights become variables that the model itself reads, so that `classify`, `save` and so on
 * use the trained values. Weights are float32; quantised ones are dequantised.
 * @param model converted by this package
 * @throws {Error} one line, if the model is already trainable, was converted by a version that did not store PyTorch
 *   layouts, has weights that were computed from several parameters, an option is invalid, or the gradients of tfjs's own
 *   ops are not registered (`import '@tensorflow/tfjs'`).
 */
export function trainable<M extends TrainableModel>(model: M, options: TrainableOptions = {}): Trainable<M> {
  checkOptions(options, 'trainable', {
    dropPath: PROBABILITY,
    dropout: PROBABILITY,
    batchNormMomentum: number(0, 1),
    seed: integer(Number.MIN_SAFE_INTEGER),
  });
  checkGradients('trainable');
  return new Trainable(model, options);
}

/** See {@link trainable}. */
export class Trainable<M extends TrainableModel = TrainableModel> {
  /** By PyTorch name, including running statistics. */
  readonly parameters: ReadonlyMap<string, TrainedParameter>;
  private readonly graphModel: GraphModel;
  private readonly graph: EditedGraph;
  /** Whether the graph has a node for the normalised image. */
  private readonly hasNormalized: boolean;
  private readonly parts: ReturnType<typeof planParts>;
  private readonly statistics: readonly BatchStatistics[];
  /** The nodes of all statistics. */
  private readonly watched: readonly string[];
  private readonly factors: readonly RandomFactor[];
  private readonly batchNormMomentum: number;
  private readonly random: RandomNumbers;

  constructor(
    readonly model: M,
    options: TrainableOptions,
  ) {
    const graphModel = graphOf(model);
    if (inTraining.has(graphModel)) {
      throw new Error('trainable: the model is trainable already; dispose() of that first');
    }
    this.graphModel = graphModel;
    const { newHead, dropPath = authorsDropPath(graphModel), dropout = 0, seed = 0 } = options;
    this.random = new RandomNumbers(seed);
    this.batchNormMomentum = options.batchNormMomentum ?? 0.1;
    const layouts = layoutsOf('trainable', graphModel);
    const editor = new GraphEditor(graphModel);
    const isTrained = chosen(options, [...layouts.keys()], runningStatistics(editor));
    this.statistics = useBatchStatistics(editor, (name) => !isTrained(name));
    this.watched = this.statistics.flatMap(nodesOfStatistics);
    this.factors = [
      ...addDropPath(editor, dropPath),
      ...addDropout(editor, dropout, layouts.get('head.weight')?.shape[1] ?? 0),
    ];
    this.hasNormalized = editor.nodes.has('normalized');
    useOwnGradients(editor);
    averageSinglePixels(editor);
    this.parts = planParts(editor, 'logits', this.statistics.map(nodesOfStatistics));
    // From here on the model is modified.
    try {
      if (newHead !== undefined) replaceHead(model, graphModel, newHead, layouts);
    } catch (error) {
      editor.dispose();
      throw error;
    }
    this.graph = editor.build();
    this.parameters = new Map(
      [...layouts].map(([name, layout]) => [
        name,
        { ...layout, trained: isTrained(name), variable: variableOf(graphModel, name, isTrained(name)) },
      ]),
    );
    inTraining.add(graphModel);
  }

  /** The trained variables, for tf.variableGrads and `minimize` of an optimiser. */
  get variables(): readonly Variable[] {
    return [...this.parameters.values()].filter(({ trained }) => trained).map(({ variable }) => variable);
  }

  /**
   * Runs a pass in training mode, which updates the running statistics of BatchNorms. Call it inside tf.variableGrads or
   * `minimize` if gradients are needed.
   * @param inputs images [N, H, W, 3] as the model's graph takes them, or tensors by node name: `normalized` instead of
   *   `image`, `blocks_<i>/order` and `blocks_<i>/parent` to provide the trees
   * @param output a node, by default `logits`, or several
   */
  forward(inputs: NamedTensorMap | Tensor4D, output?: string): Tensor;
  forward(inputs: NamedTensorMap | Tensor4D, outputs: readonly string[]): Tensor[];
  forward(
    inputs: NamedTensorMap | Tensor4D,
    output: string | readonly string[] = 'logits',
  ): Tensor | Tensor[] {
    const outputs = typeof output === 'string' ? [output] : output;
    const results = tidy(() => {
      const tensors = this.execute(namedInputs(inputs), outputs);
      this.updateAllStatistics(tensors.slice(outputs.length));
      return tensors.slice(0, outputs.length);
    });
    return typeof output === 'string' ? results[0] : results;
  }

  /**
   * Computes loss and gradients of a pass in training mode. The caller disposes the returned tensors.
   * @param inputs as {@link forward}
   * @param loss computes a scalar from the logits
   */
  gradients(
    inputs: NamedTensorMap | Tensor4D,
    loss: (logits: Tensor) => Scalar,
    { checkpointing = false }: GradientOptions = {},
  ): { value: Scalar; logits: Tensor; gradients: Gradients } {
    if (!checkpointing) return this.gradientsAtOnce(namedInputs(inputs), loss);
    if (this.parts.length === 0)
      throw new Error('gradients: the model has no node logits to compute in parts');
    const given = namedInputs(inputs);
    const factors = tidy(() => this.randomFactors(given));
    try {
      const fed = { ...given, ...factors };
      const { result, ...others } = gradientsInParts(
        this.graph,
        this.parts,
        fed,
        this.variables,
        loss,
        (nodes, values) => this.updateStatistics((node) => values[nodes.indexOf(node)]),
      );
      return { ...others, logits: result };
    } finally {
      dispose(factors);
    }
  }

  /**
   * Computes what does not depend on a variable before, and updates running statistics after, the part that tfjs records,
   * because tfjs keeps copies for every recorded op.
   */
  private gradientsAtOnce(given: NamedTensorMap, loss: (logits: Tensor) => Scalar) {
    const { image, ...others } = given;
    const normalized =
      image && this.hasNormalized ? this.graph.execute({ image }, ['normalized'])[0] : undefined;
    const kept: Tensor[] = [];
    try {
      const result = gradientsOf(
        () => {
          const [logits, ...statistics] = this.execute(normalized ? { normalized, ...others } : given, [
            'logits',
          ]);
          kept.push(...statistics.map((tensor) => keep(tensor)));
          return logits;
        },
        this.variables,
        loss,
      );
      tidy(() => this.updateAllStatistics(kept));
      return result;
    } finally {
      dispose([kept, ...(normalized ? [normalized] : [])]);
    }
  }

  /**
   * Runs a pass.
   * @returns the outputs, followed by the nodes of all statistics
   */
  private execute(given: NamedTensorMap, outputs: readonly string[]): Tensor[] {
    return this.graph.execute({ ...given, ...this.randomFactors(given) }, [...outputs, ...this.watched]);
  }

  /** Like the model's `save`. */
  save(target: io.IOHandler | string): Promise<io.SaveResult> {
    return this.model.save(target as io.IOHandler);
  }

  /** The state for {@link restoreRandom}: plain JSON. */
  randomState(): RandomState {
    return { random: this.random.save() };
  }

  restoreRandom(state: RandomState): void {
    this.random.restore(state.random);
  }

  /** Ends the training: the model keeps the values as ordinary tensors. */
  dispose(): void {
    if (!inTraining.delete(this.graphModel)) return;
    for (const [name, { variable }] of this.parameters) {
      this.graphModel.weights[name][0] = keep(tidy(() => variable.clone()));
      variable.dispose();
    }
    this.graph.dispose();
  }

  private randomFactors(inputs: NamedTensorMap): NamedTensorMap {
    const [samples] = Object.values(inputs)[0].shape;
    const factors = this.factors.map(({ input, probability, shape }) => {
      const sizes = shape(samples);
      const values = Float32Array.from({ length: sizeOf(sizes) }, () =>
        this.random.next() < probability ? 0 : 1 / (1 - probability),
      );
      return [input, tensor(values, sizes)];
    });
    return Object.fromEntries(factors);
  }

  /** @param values of the nodes of all statistics */
  private updateAllStatistics(values: readonly Tensor[]): void {
    this.updateStatistics((node) => values[this.watched.indexOf(node)]);
  }

  /**
   * Updates the running statistics for which batch statistics are given. The running variance uses the unbiased variance, as
   * in PyTorch.
   */
  private updateStatistics(value: (node: string) => Tensor | undefined): void {
    const momentum = this.batchNormMomentum;
    for (const statistics of this.statistics) {
      const { runningMean, runningVariance } = statistics;
      const [x, mean, variance] = nodesOfStatistics(statistics).map(value);
      if (!x || !mean || !variance) continue;
      const samples = x.size / mean.size;
      const update = (name: string, value: Tensor, factor: number) => {
        const { variable } = this.parameters.get(name) as TrainedParameter;
        variable.assign(add(mul(variable, 1 - momentum), mul(value, momentum * factor)));
      };
      update(runningMean, mean, 1);
      update(runningVariance, variance, samples / Math.max(1, samples - 1));
    }
  }
}

function nodesOfStatistics({
  x,
  mean,
  variance,
}: BatchStatistics): [x: string, mean: string, variance: string] {
  return [x, mean, variance];
}

/** Computes loss and gradients of a pass. */
export function gradientsOf(
  pass: () => Tensor,
  variables: readonly Variable[],
  loss: (logits: Tensor) => Scalar,
): { value: Scalar; logits: Tensor; gradients: Gradients } {
  const kept: Tensor[] = [];
  try {
    const { value, grads } = variableGrads(() => {
      const logits = pass();
      kept.push(keep(logits.clone()));
      return loss(logits);
    }, [...variables]);
    return { value, logits: kept[0], gradients: grads };
  } catch (error) {
    dispose(kept);
    throw error;
  }
}

/** Returns the graph of a model. */
export function graphOf(model: TrainableModel, method = 'trainable'): GraphModel {
  if ((model as Partial<GrootL>)?.hasAdapter) {
    throw new Error(`${method}: an adapter is attached to the model; detach() it first`);
  }
  const graph: unknown = model instanceof GraphModel ? model : (model as { model?: unknown })?.model;
  if (graph instanceof GraphModel) return graph;
  throw new Error(
    `${method}: the model is ${show(model)}, expected a GrootV, GrootL, Segmenter, Detector or GraphModel`,
  );
}

/** @throws {Error} if the weights of the model lack their PyTorch layouts. */
export function layoutsOf(method: string, graph: GraphModel): Map<string, TorchLayout> {
  const layouts = new Map<string, TorchLayout>();
  const editor = new GraphEditor(graph);
  for (const node of editor.nodes.values()) {
    const weight = graph.weights[node.name]?.[0];
    if (node.op !== 'Const' || !weight) continue;
    if (node.attr && COMPUTED_ATTRIBUTE in node.attr) {
      throw new Error(
        `${method}: the weight ${quote(node.name)} was computed from several parameters (a folded BatchNorm); ` +
          "convert the checkpoint with batchNorm: 'keep' (--trainable on the command line)",
      );
    }
    const layout = readLayout(node, weight.size);
    if (layout && weight.dtype === 'float32') layouts.set(node.name, layout);
  }
  if (layouts.size > 0) return layouts;
  throw new Error(
    `${method}: the model does not say how PyTorch stores its weights: it was converted by an earlier version, or by ` +
      'another program; convert the checkpoint again',
  );
}

function authorsDropPath(graph: GraphModel): number {
  const { architecture } = (graph.metadata ?? {}) as { architecture?: { name?: unknown } };
  return DROP_PATH[String(architecture?.name)] ?? 0;
}

function chosen(
  { parameters, freeze }: TrainableOptions,
  all: readonly string[],
  statistics: ReadonlySet<string>,
): (name: string) => boolean {
  const names = all.filter((name) => !statistics.has(name));
  if (parameters) checkSelection(parameters, names, 'trainable: parameters');
  if (freeze) checkSelection(freeze, names, 'trainable: freeze');
  const trained = new Set(
    names.filter((name) => (!parameters || selects(parameters, name)) && !(freeze && selects(freeze, name))),
  );
  if (trained.size === 0) throw new Error('trainable: no parameter is left to be trained');
  return (name) => trained.has(name);
}

/** Replaces a weight by a variable. */
function variableOf(graph: GraphModel, name: string, trained: boolean): Variable {
  const [weight] = graph.weights[name];
  const made = parameterVariable(weight, trained, name);
  weight.dispose();
  graph.weights[name][0] = made;
  return made;
}

function namedInputs(inputs: NamedTensorMap | Tensor4D): NamedTensorMap {
  return inputs instanceof Tensor ? { image: inputs } : inputs;
}
