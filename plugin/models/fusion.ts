/**
 * Fusion: nodes of a graph that a backend has one kernel for become one node, before the graph runs. Converted graphs
 * hold ops that every backend knows; which of them are one dispatch is a matter of the backend, so that the files say
 * nothing of it. Nothing is put together that somebody asks for or feeds.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { ACTIVATION_NODES } from '../ops/activations.js';
import { Convolution } from '../ops/convolution.js';
import type { OpDeclaration } from '../ops/declaration.js';
import { DepthwiseConvolution } from '../ops/depthwise_convolution.js';
import { GatedLinear, ResidualLinear } from '../ops/fused_linear.js';
import { hasOwnKernel } from '../ops/kernels.js';
import { SelectiveDiscretize } from '../ops/selective_discretize.js';
import { TransposedConvolution } from '../ops/transposed_convolution.js';
import type { TopologyNode } from '../torch_layout.js';
import { asConvolution } from './convolution_nodes.js';
import {
  artifactsOf,
  branchSums,
  type EditedGraph,
  GraphEditor,
  nodeName,
  outputIndex,
} from './graph_editor.js';

/** Most outputs of a linear layer that choose steps: kernels have the sums of a row in fast memory. */
const MOST_CHOSEN = 512;

const FUSIONS: readonly (readonly [OpDeclaration, (graph: Fusing) => void])[] = [
  [ResidualLinear, addResiduals],
  [GatedLinear, joinGates],
  [Convolution, useConvolutions],
  [DepthwiseConvolution, activateDepthwiseConvolutions],
  [TransposedConvolution, placeTiles],
  [SelectiveDiscretize, discretizeChoices],
];

/** The graph of a model with fewer nodes, and the names of those that it has; undefined where there is nothing to fuse. */
export interface FusedGraph {
  readonly graph: EditedGraph;
  readonly has: (node: string) => boolean;
}

/** @param backend by whose kernels it is decided */
export function fuse(model: GraphModel, backend: string): FusedGraph | undefined {
  const fusions = FUSIONS.filter(([op]) => hasOwnKernel(op, backend));
  const { signature, modelTopology } = artifactsOf(model);
  const { library } = modelTopology as { readonly library?: { readonly function?: readonly unknown[] } };
  if (fusions.length === 0 || library?.function?.length) return undefined;
  const outputs = Object.values((signature as Signature | undefined)?.outputs ?? {});
  const editor = new Fusing(
    model,
    outputs.map(({ name }) => name),
  );
  for (const [, apply] of fusions) apply(editor);
  if (!editor.isChanged) return undefined;
  const names = new Set(editor.nodes.keys());
  return { graph: editor.build(), has: (node) => names.has(nodeName(node)) };
}

interface Signature {
  readonly outputs?: Readonly<Record<string, { readonly name: string }>>;
}

interface Attribute {
  readonly s?: string;
  readonly i?: string | number;
  readonly list?: { readonly i?: readonly (string | number)[] };
}

class Fusing extends GraphEditor {
  isChanged = false;
  private readonly reads = new Map<string, number>();

  /** @param outputs that are read when nobody says which */
  constructor(model: GraphModel, outputs: readonly string[]) {
    super(model);
    for (const { input } of this.nodes.values()) for (const read of input ?? []) this.count(read);
    for (const output of outputs) this.count(output);
  }

  private count(output: string): void {
    this.reads.set(keyOf(output), this.readsOf(output) + 1);
  }

  /** How often an output of a node is read. */
  readsOf(output: string): number {
    return this.reads.get(keyOf(output)) ?? 0;
  }

  /** The nodes of an op, as they were before any of them is replaced. */
  all(op: string): TopologyNode[] {
    return [...this.nodes.values()].filter((node) => node.op === op);
  }

  /** The node of an output, if it is of an op. */
  source(output: string | undefined, op: string): TopologyNode | undefined {
    const node = output === undefined ? undefined : this.nodes.get(nodeName(output));
    return node?.op === op ? node : undefined;
  }

  /** The shape of weights. */
  shapeOf(output: string): readonly number[] {
    return this.model.weights[nodeName(output)]?.[0]?.shape ?? [];
  }

  /** The values of a constant. */
  valuesOf(output: string): readonly number[] {
    return [...(this.model.weights[nodeName(output)]?.[0]?.dataSync() ?? [])];
  }

  /** Puts one node in the place of several: of `into`, and of `gone`, which nothing else reads. */
  join(
    into: string,
    op: OpDeclaration,
    input: readonly string[],
    gone: readonly TopologyNode[],
    attr: Record<string, unknown> = {},
  ): void {
    this.isChanged = true;
    this.replace(into, op.name, input, attr);
    for (const { name } of gone) if (name !== into) this.nodes.delete(name);
  }
}

const keyOf = (output: string) => `${nodeName(output)}:${outputIndex(output)}`;
const attributeOf = ({ attr }: TopologyNode, name: string) =>
  (attr as Readonly<Record<string, Attribute | undefined>> | undefined)?.[name];
const textOf = (node: TopologyNode, name: string) => decoded(attributeOf(node, name)?.s ?? '');
const integerOf = (node: TopologyNode, name: string, otherwise: number) =>
  Number(attributeOf(node, name)?.i ?? otherwise);
const isOnes = (node: TopologyNode, name: string) =>
  (attributeOf(node, name)?.list?.i ?? []).every((value) => Number(value) === 1);

/** Texts of model.json are base64. */
const attributeOfText = (text: string) => ({ s: btoa(text) });

function decoded(text: string): string {
  try {
    return atob(text);
  } catch {
    return text;
  }
}

interface Layer {
  readonly node: TopologyNode;
  readonly x: string;
  readonly weights: string;
  readonly bias?: string;
  readonly activation: string;
  /** Columns of the weights that are used, to the one behind the last or -1. */
  readonly first: number;
  readonly end: number;
}

function layerOf(node: TopologyNode | undefined): Layer | undefined {
  const [x, weights, bias, ...others] = node?.input ?? [];
  if (!node || x === undefined || weights === undefined || others.length > 0) return undefined;
  const [first, end] = [integerOf(node, 'first_output', 0), integerOf(node, 'end_output', -1)];
  return { node, x, weights, bias, activation: textOf(node, 'activation') || 'none', first, end };
}

/** A linear layer of all its columns without an activation. */
function plainLayer(node: TopologyNode | undefined): Layer | undefined {
  const layer = layerOf(node);
  return layer?.activation === 'none' && layer.first === 0 && layer.end === -1 ? layer : undefined;
}

/** What a block adds to what goes past it, if that is what a linear layer gives. */
function addResiduals(graph: Fusing): void {
  for (const { name, input = [] } of branchSums(graph)) {
    const [residual, branch] = input;
    const layer = plainLayer(graph.source(branch, 'Linear'));
    if (!layer || graph.readsOf(branch) > 1) continue;
    const { x, weights, bias, node } = layer;
    graph.join(name, ResidualLinear, [x, weights, residual, ...(bias ? [bias] : [])], [node]);
  }
}

/** Two linear layers with the halves of the same weights, the second of which is a gate. */
function joinGates(graph: Fusing): void {
  const layers = graph.all('Linear').flatMap((node) => layerOf(node) ?? []);
  for (const gate of layers.filter(({ activation, first }) => activation === 'silu' && first > 0)) {
    const [, columns] = graph.shapeOf(gate.weights);
    const value = layers.find(
      ({ x, weights, bias, activation, first, end }) =>
        x === gate.x &&
        weights === gate.weights &&
        bias === gate.bias &&
        activation === 'none' &&
        first === 0 &&
        end === gate.first,
    );
    if (!value || columns !== 2 * gate.first || (gate.end !== -1 && gate.end !== columns)) continue;
    graph.rerouteReaders(gate.node.name, `${value.node.name}:1`);
    graph.join(value.node.name, GatedLinear, value.node.input ?? [], [gate.node]);
  }
}

/** Convolutions, with the activations behind them. */
function useConvolutions(graph: Fusing): void {
  for (const node of [...graph.nodes.values()]) {
    const convolution = asConvolution(node);
    if (!convolution) continue;
    const activation = attributeOfText(convolution.activation?.toLowerCase() ?? 'none');
    graph.join(node.name, Convolution, node.input ?? [], [], { ...convolution.attr, activation });
  }
  joinActivations(graph, Convolution);
}

/** Nodes of an op that has an attribute for what is applied to its sums, and the activations behind them. */
function joinActivations(graph: Fusing, op: OpDeclaration): void {
  for (const [activation, node] of Object.entries(ACTIVATION_NODES)) {
    for (const { name, input = [] } of graph.all(node)) {
      const sums = graph.source(input[0], op.name);
      if (!sums || graph.readsOf(input[0]) > 1 || textOf(sums, 'activation') !== 'none') continue;
      const attr = { ...sums.attr, activation: attributeOfText(activation) };
      graph.join(name, op, sums.input ?? [], [sums], attr);
    }
  }
}

/** Depthwise convolutions at stride 1 and the SiLU behind them. */
function activateDepthwiseConvolutions(graph: Fusing): void {
  for (const { name, input = [] } of graph.all(ACTIVATION_NODES.silu)) {
    const node = graph.source(input[0], 'DepthwiseConv2dNative');
    const [, multiplier] = node?.input ?? [];
    if (!node || graph.readsOf(input[0]) > 1) continue;
    const isPlain =
      isOnes(node, 'strides') && isOnes(node, 'dilations') && graph.shapeOf(multiplier)[3] === 1;
    if (!isPlain || textOf(node, 'padding') !== 'SAME' || textOf(node, 'data_format') === 'NCHW') continue;
    graph.join(name, DepthwiseConvolution, node.input ?? [], [node], { activation: attributeOfText('silu') });
  }
}

/** Products of pixels that become tiles of pixels, as the converter writes a transposed convolution, and the activation behind. */
function placeTiles(graph: Fusing): void {
  for (const { name, input = [] } of graph.all('Reshape')) {
    const placed = graph.source(input[0], 'Transpose');
    const tiles = graph.source(placed?.input?.[0], 'Reshape');
    const layer = plainLayer(graph.source(tiles?.input?.[0], 'Linear'));
    if (!placed || !tiles || !layer || placed.name !== `${name}/rows` || tiles.name !== `${name}/split`)
      continue;
    if ([placed, tiles, layer.node].some((node) => graph.readsOf(node.name) > 1)) continue;
    const [, rows, columns] = graph.valuesOf(`${name}/stride`);
    if (`${graph.valuesOf(placed.input?.[1] ?? '')}` !== '0,1,3,2,4' || !(rows > 0 && columns > 0)) continue;
    const attr = { rows: { i: rows }, columns: { i: columns }, activation: attributeOfText('none') };
    graph.join(name, TransposedConvolution, layer.node.input ?? [], [placed, tiles, layer.node], attr);
  }
  joinActivations(graph, TransposedConvolution);
}

/** A choice of step, B and C, its parts, the projection of the step and the discretisation. */
function discretizeChoices(graph: Fusing): void {
  for (const { name, input = [] } of graph.all('Discretize')) {
    const [rawStep, stepBias, logA, inputGate, x] = input;
    const step = plainLayer(graph.source(rawStep, 'Linear'));
    const parts = graph.source(step?.x, 'SelectiveSplit');
    const choice = plainLayer(graph.source(parts?.input?.[0], 'Linear'));
    if (!step || !parts || !choice || step.bias || choice.bias || choice.x !== x) continue;
    const isPart = (output: string, index: number) => keyOf(output) === `${parts.name}:${index}`;
    const [, chosen] = graph.shapeOf(choice.weights);
    if (!isPart(step.x, 0) || !isPart(inputGate, 1) || !(chosen <= MOST_CHOSEN)) continue;
    if ([rawStep, choice.node.name, step.x, inputGate].some((output) => graph.readsOf(output) > 1)) continue;
    graph.rerouteReaders(`${parts.name}:2`, `${name}:2`);
    const inputs = [x, choice.weights, step.weights, stepBias, logA];
    graph.join(name, SelectiveDiscretize, inputs, [step.node, parts, choice.node]);
  }
}
