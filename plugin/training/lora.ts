/**
 * Trains low-rank updates only (E. Hu et al., "LoRA", 2021): every adapted layer adds scaling * B A x to the output of the
 * frozen model, as in PEFT.
 */
import {
  type NamedTensorMap,
  type Scalar,
  scalar,
  type Tensor,
  tensor,
  tidy,
  type Variable,
} from '@tensorflow/tfjs-core';
import type { Adapter, LowRank } from '../models/adapter.js';
import { options as checkOptions, integer, listOf, number, quote, text } from '../models/checks.js';
import { type EditedGraph, FLOAT, GraphEditor } from '../models/graph_editor.js';
import type { GrootL } from '../models/grootl.js';
import { nodeName } from '../models/node_inputs.js';
import { checkGradients } from '../models/own_gradients.js';
import { ACTIVATION_NODES } from '../ops/activations.js';
import { RandomNumbers } from '../random.js';
import { fromTorch, type TopologyNode, type TorchLayout, toTorch } from '../torch_layout.js';
import { type AdapterSettings, adapterFiles, parametersOf } from './adapter_files.js';
import { parameterVariable } from './parameter_names.js';
import {
  type Gradients,
  gradientsOf,
  graphOf,
  type RandomState,
  type TrainedParameter,
} from './trainable.js';

/** Which modules an adapter updates, and how. */
export interface LoraOptions {
  /** Default 8. */
  readonly rank?: number;
  /** Scale of the product is alpha / rank; default twice the rank. */
  readonly alpha?: number;
  /** Suffixes of module names; default the authors': in_proj, x_proj, out_proj, embeddings. */
  readonly targets?: readonly string[];
  /** Dropout probability of the input of matrices A, from 0 to below 1; not for embeddings. Default 0. */
  readonly dropout?: number;
  /** Seed of the initial values and of dropout; default 0. */
  readonly seed?: number;
  /** Continues from these values, which also determine rank, alpha and targets. */
  readonly initial?: Adapter;
}

/** The authors' targets. */
const TARGETS = ['in_proj', 'x_proj', 'out_proj', 'embeddings'];

/** A module to adapt. */
interface Target {
  readonly module: string;
  readonly isEmbedding: boolean;
  readonly inputs: number;
  readonly outputs: number;
  /** The nodes that compute it. */
  readonly nodes: readonly TopologyNode[];
}

/**
 * Adds an adapter to a model, which is trained while the model's own weights stay frozen. An output head tied to the
 * embeddings is not updated. The model itself does not change: `model.attach(adapter)` applies the current values of the
 * adapter to it.
 * @throws {Error} one line, if an option is invalid or names a module that the model does not have.
 */
export function addLora(model: GrootL, options: LoraOptions = {}): LoraAdapter {
  checkOptions(options, 'addLora', {
    rank: integer(1, 2 ** 16),
    alpha: number(Number.MIN_VALUE, Number.MAX_VALUE),
    targets: listOf(text(1000), 1, 1000),
    dropout: number(0, 1 - 2 ** -20),
    seed: integer(Number.MIN_SAFE_INTEGER),
  });
  checkGradients('addLora');
  return new LoraAdapter(model, options);
}

/** See {@link addLora}. It can be trained like a `Trainable`. */
export class LoraAdapter {
  /** By PEFT's names. */
  readonly parameters: ReadonlyMap<string, TrainedParameter>;
  /** The modules with the scale of their products. */
  private readonly lowRank: readonly Omit<LowRank, 'a' | 'b'>[];
  private readonly graph: EditedGraph;
  /** Placeholders of dropout factors, and their number of values per token. */
  private readonly dropped: ReadonlyMap<string, number>;
  private readonly settings: AdapterSettings;
  private readonly random: RandomNumbers;

  constructor(
    readonly model: GrootL,
    { rank = 8, alpha = 2 * rank, targets = TARGETS, dropout = 0, seed = 0, initial }: LoraOptions,
  ) {
    this.random = new RandomNumbers(seed);
    const editor = new GraphEditor(graphOf(model, 'addLora'));
    const names = initial ? initial.modules.map(({ module }) => module) : targets;
    this.settings = { dropout, targets: names };
    const found = targetsOf(editor, names);
    const modules = initial
      ? checkedInitial(initial, found)
      : found.map((target) => firstValues(target, rank, alpha / rank, this.random));
    this.lowRank = modules.map(({ module, isEmbedding, scaling }) => ({ module, isEmbedding, scaling }));
    this.parameters = new Map(
      modules.flatMap((each) => parametersOf(each)).map(([name, values]) => [name, trained(name, values)]),
    );
    const dropped = new Map<string, number>();
    for (const [i, each] of modules.entries()) {
      addTerms(editor, found[i], each, this.parameters, dropout > 0 ? dropped : undefined);
    }
    this.dropped = dropped;
    this.graph = editor.build();
  }

  /** For tf.variableGrads and `minimize` of an optimiser. */
  get variables(): readonly Variable[] {
    return [...this.parameters.values()].map(({ variable }) => variable);
  }

  /**
   * Runs a pass with the adapter; call it inside tf.variableGrads or `minimize` if gradients are needed.
   * @param inputs as from `textInputs`: `input_ids` [N, L] int32, `prompt_length` scalar int32
   * @param output a node, by default `logits` [N, L, vocabulary], or several
   */
  forward(inputs: NamedTensorMap, output?: string): Tensor;
  forward(inputs: NamedTensorMap, outputs: readonly string[]): Tensor[];
  forward(inputs: NamedTensorMap, output: string | readonly string[] = 'logits'): Tensor | Tensor[] {
    const outputs = typeof output === 'string' ? [output] : output;
    const results = tidy(() => this.graph.execute({ ...inputs, ...this.factors(inputs) }, outputs));
    return typeof output === 'string' ? results[0] : results;
  }

  /** Computes loss and gradients of a pass. The caller disposes of the returned tensors. */
  gradients(
    inputs: NamedTensorMap,
    loss: (logits: Tensor) => Scalar,
  ): { value: Scalar; logits: Tensor; gradients: Gradients } {
    return gradientsOf(() => this.forward(inputs), this.variables, loss);
  }

  /** Returns the current values of the adapter, for `GrootL.attach`. */
  async weights(): Promise<Adapter> {
    const modules: LowRank[] = [];
    for (const each of this.lowRank) {
      const [a, b] = parametersOf(each).map(([name]) => this.parameters.get(name) as TrainedParameter);
      modules.push({ ...each, a: await matrixOf(a), b: await matrixOf(b) });
    }
    return { modules };
  }

  /**
   * Returns the files of an adapter folder in PEFT's format, by name, for `convert --lora`, `readAdapter` and PEFT in
   * Python.
   * @param base the model that the adapter belongs to: its folder, or its name on the HuggingFace hub
   */
  async files(base = ''): Promise<Record<string, Uint8Array>> {
    return adapterFiles(await this.weights(), { ...this.settings, base });
  }

  /** The state for {@link restoreRandom}: plain JSON. */
  randomState(): RandomState {
    return { random: this.random.save() };
  }

  restoreRandom(state: RandomState): void {
    this.random.restore(state.random);
  }

  /** Frees the adapter. */
  dispose(): void {
    this.graph.dispose();
  }

  private factors(inputs: NamedTensorMap): NamedTensorMap {
    const { dropout } = this.settings;
    if (this.dropped.size === 0) return {};
    const [samples, length] = inputs.input_ids.shape;
    const factors = [...this.dropped].map(([input, channels]) => {
      const values = Float32Array.from({ length: samples * length * channels }, () =>
        this.random.next() < dropout ? 0 : 1 / (1 - dropout),
      );
      return [input, tensor(values, [samples, length, channels])];
    });
    return Object.fromEntries(factors);
  }
}

/**
 * Finds modules by the suffixes of their names.
 * @throws {Error} if a name matches none.
 */
function targetsOf(editor: GraphEditor, names: readonly string[]): Target[] {
  const all = changeable(editor);
  const means = (name: string, module: string) => module === name || module.endsWith(`.${name}`);
  const unknown = names.find((name) => !all.some(({ module }) => means(name, module)));
  if (unknown !== undefined) {
    const last = new Set(all.map(({ module }) => module.slice(module.lastIndexOf('.') + 1)));
    throw new Error(`addLora: targets names ${quote(unknown)}, expected ${[...last].join(', ')}`);
  }
  return all.filter(({ module }) => names.some((name) => means(name, module)));
}

/** Returns all linear layers and embeddings of a graph. An output head that shares the embeddings is excluded. */
function changeable(editor: GraphEditor): Target[] {
  const readers = new Map<string, TopologyNode[]>();
  for (const node of editor.nodes.values()) {
    if (node.op !== 'Linear' && node.op !== 'TokenEmbedding') continue;
    const weight = nodeName(node.input?.[1] ?? '');
    readers.set(weight, [...(readers.get(weight) ?? []), node]);
  }
  return [...readers].flatMap(([weight, nodes]): Target[] => {
    const shape = editor.model.weights[weight]?.[0].shape;
    if (!weight.endsWith('.weight') || shape?.length !== 2) return [];
    const embeddings = nodes.filter(({ op }) => op === 'TokenEmbedding');
    const isEmbedding = embeddings.length > 0;
    const [inputs, outputs] = isEmbedding ? [shape[1], shape[0]] : shape;
    const module = weight.slice(0, -'.weight'.length);
    return [{ module, isEmbedding, inputs, outputs, nodes: isEmbedding ? embeddings : nodes }];
  });
}

/** As in PEFT: A uniform, B 0; for embeddings A 0 and B normal. The initial update is 0. */
function firstValues(
  { module, isEmbedding, inputs, outputs }: Target,
  rank: number,
  scaling: number,
  random: RandomNumbers,
): LowRank {
  const filled = (size: number, value: () => number) => Float32Array.from({ length: size }, value);
  const bound = 1 / Math.sqrt(inputs);
  const zero = () => 0;
  return {
    ...{ module, isEmbedding, scaling },
    a: {
      shape: [rank, inputs],
      values: filled(rank * inputs, isEmbedding ? zero : () => bound * (2 * random.next() - 1)),
    },
    b: {
      shape: [outputs, rank],
      values: filled(outputs * rank, isEmbedding ? () => random.normal() : zero),
    },
  };
}

/** Returns the values to continue from, in the order of the targets. */
function checkedInitial({ modules }: Adapter, found: readonly Target[]): LowRank[] {
  return found.map(({ module, isEmbedding, inputs, outputs }) => {
    const given = modules.find((each) => each.module === module);
    const [rank] = given?.a.shape ?? [0];
    const fits =
      given?.isEmbedding === isEmbedding &&
      `${given.a.shape}` === `${[rank, inputs]}` &&
      `${given.b.shape}` === `${[outputs, rank]}`;
    if (given && fits && rank >= 1) return given;
    throw new Error(
      `addLora: initial has ${given ? `[${given.a.shape}] and [${given.b.shape}]` : 'nothing'} for ${quote(module)}, ` +
        `expected [r, ${inputs}] and [${outputs}, r]${isEmbedding ? ' of an embedding' : ''}`,
    );
  });
}

function trained(name: string, { shape, values }: LowRank['a']): TrainedParameter {
  const layout = layoutOf(name, shape);
  const moved = layout.axes.map((axis) => shape[axis]);
  const variable = tidy(() => parameterVariable(tensor(fromTorch(values, layout), moved), true, name));
  return { ...layout, variable, trained: true };
}

/** Linear layers of a graph take transposed matrices; an embedding's table is already transposed. */
function layoutOf(name: string, shape: readonly number[]): TorchLayout {
  return { shape, axes: name.endsWith('lora_embedding_A') ? [0, 1] : [1, 0] };
}

async function matrixOf({ variable, shape, axes }: TrainedParameter): Promise<LowRank['a']> {
  const values = toTorch((await variable.data()) as Float32Array, { shape, axes });
  return { shape: shape as [number, number], values: values.slice() };
}

/** Adds scaling * B A x to the output of a module's nodes, before the activation. */
function addTerms(
  editor: GraphEditor,
  { inputs, nodes }: Target,
  module: Omit<LowRank, 'a' | 'b'>,
  parameters: ReadonlyMap<string, TrainedParameter>,
  dropped: Map<string, number> | undefined,
): void {
  const [a, b] = parametersOf(module).map(([name]) =>
    editor.weight(name, (parameters.get(name) as TrainedParameter).variable),
  );
  const scaling = editor.weight(`${module.module}/scaling`, scalar(module.scaling));
  const reduced = new Map<string, string>();
  for (const { name, op, input = [], attr = {} } of nodes) {
    const [x] = input;
    let low = reduced.get(x);
    if (low === undefined) {
      const kept =
        dropped && !module.isEmbedding ? addDropout(editor, `${name}/lora`, x, inputs, dropped) : x;
      const product = editor.add(op, `${name}/lora_A`, [kept, a]);
      low = editor.add('Mul', `${name}/lora_scaled`, [product, scaling], FLOAT);
      reduced.set(x, low);
    }
    const { activation, ...part } = attr;
    const term = editor.add('Linear', `${name}/lora_B`, [low, b], module.isEmbedding ? {} : part);
    const base = editor.add(op, `${name}/base`, input, part);
    const applied = activationOf(activation);
    if (applied === undefined) editor.replace(name, 'AddV2', [base, term], FLOAT);
    else editor.replace(name, applied, [editor.add('AddV2', `${name}/changed`, [base, term], FLOAT)]);
  }
}

function addDropout(
  editor: GraphEditor,
  name: string,
  x: string,
  channels: number,
  dropped: Map<string, number>,
): string {
  const factor = editor.placeholder(`${name}_dropout`);
  dropped.set(factor, channels);
  return editor.add('Mul', `${name}_kept`, [x, factor], FLOAT);
}

/** Returns the op of a linear layer's activation, which an attribute names in base64. */
function activationOf(attribute: unknown): string | undefined {
  const { s } = (attribute ?? {}) as { s?: unknown };
  return Object.entries(ACTIVATION_NODES).find(([activation]) => btoa(activation) === s)?.[1];
}
