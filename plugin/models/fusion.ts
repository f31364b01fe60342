/**
 * Fusion: before a graph runs, nodes for which a backend has a combined kernel are replaced by one node. Converted graphs
 * contain ops that every backend supports; which of them can be one dispatch depends on the backend, so the files do not
 * specify it. Nodes that are requested or fed are never fused.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { ACTIVATION_NODES } from '../ops/activations.js';
import { Convolution } from '../ops/convolution.js';
import type { OpDeclaration } from '../ops/declaration.js';
import { DepthwiseConvolution } from '../ops/depthwise_convolution.js';
import { GatedLinear, ResidualLinear } from '../ops/fused_linear.js';
import { hasOwnKernel } from '../ops/kernels.js';
import { Linear } from '../ops/linear.js';
import { Normalize } from '../ops/normalize.js';
import { QuantizedGatedLinear, QuantizedLinear, QuantizedResidualLinear } from '../ops/quantized_linear.js';
import { SelectiveDiscretize } from '../ops/selective_discretize.js';
import { TransposedConvolution } from '../ops/transposed_convolution.js';
import type { TopologyNode } from '../torch_layout.js';
import { asConvolution } from './convolution_nodes.js';
import { artifactsOf, branchSums, type EditedGraph, GraphEditor } from './graph_editor.js';
import { nodeName, outputIndex } from './node_inputs.js';

/** Maximum outputs of the x_proj layer: kernels keep the sums of a row in fast memory. */
const MOST_CHOSEN = 512;

const FUSIONS: readonly (readonly [OpDeclaration, (graph: Fusing) => void])[] = [
  [Normalize, joinNormalizations],
  [ResidualLinear, (graph) => addResiduals(graph, Linear, ResidualLinear)],
  [QuantizedResidualLinear, (graph) => addResiduals(graph, QuantizedLinear, QuantizedResidualLinear)],
  [GatedLinear, (graph) => joinGates(graph, Linear, GatedLinear)],
  [QuantizedGatedLinear, (graph) => joinGates(graph, QuantizedLinear, QuantizedGatedLinear)],
  [Convolution, useConvolutions],
  [DepthwiseConvolution, activateDepthwiseConvolutions],
  [TransposedConvolution, placeTiles],
  [SelectiveDiscretize, discretizeChoices],
];

/** The graph of a model with fewer nodes, and the names of its nodes; undefined if nothing can be fused. */
export interface FusedGraph {
  readonly graph: EditedGraph;
  readonly has: (node: string) => boolean;
}

/** @param backend whose kernels decide what is fused */
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

  /** @param outputs that are read by default */
  constructor(model: GraphModel, outputs: readonly string[]) {
    super(model);
    for (const { input } of this.nodes.values()) for (const read of input ?? []) this.count(read);
    for (const output of outputs) this.count(output);
  }

  private count(output: string): void {
    this.reads.set(keyOf(output), this.readsOf(output) + 1);
  }

  /** Number of readers of a node's output. */
  readsOf(output: string): number {
    return this.reads.get(keyOf(output)) ?? 0;
  }

  /** The nodes of an op, as of before any replacement. */
  all(op: string): TopologyNode[] {
    return [...this.nodes.values()].filter((node) => node.op === op);
  }

  /** The node of an output, if it has this op. */
  source(output: string | undefined, op: string): TopologyNode | undefined {
    const node = output === undefined ? undefined : this.nodes.get(nodeName(output));
    return node?.op === op ? node : undefined;
  }

  /** Returns the shape of a weight. */
  shapeOf(output: string): readonly number[] {
    return this.model.weights[nodeName(output)]?.[0]?.shape ?? [];
  }

  /** Returns the values of a constant. */
  valuesOf(output: string): readonly number[] {
    return [...(this.model.weights[nodeName(output)]?.[0]?.dataSync() ?? [])];
  }

  /** Replaces several nodes by one: `into`, and those in `gone`, which nothing else reads. */
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

/** Strings in model.json are base64. */
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
  /** The matrix, or its codes and their scales. */
  readonly weights: readonly string[];
  readonly bias?: string;
  readonly activation: string;
  /** Range of the used columns of the weights; `end` is exclusive, or -1 for all. */
  readonly first: number;
  readonly end: number;
}

function layerOf(node: TopologyNode | undefined): Layer | undefined {
  const [x, ...parameters] = node?.input ?? [];
  const count = node?.op === QuantizedLinear.name ? 2 : 1;
  const [weights, [bias, ...others]] = [parameters.slice(0, count), parameters.slice(count)];
  if (!node || x === undefined || weights.length < count || others.length > 0) return undefined;
  const [first, end] = [integerOf(node, 'first_output', 0), integerOf(node, 'end_output', -1)];
  return { node, x, weights, bias, activation: textOf(node, 'activation') || 'none', first, end };
}

/** A linear layer with all of its columns and no activation. */
function plainLayer(node: TopologyNode | undefined): Layer | undefined {
  const layer = layerOf(node);
  return layer?.activation === 'none' && layer.first === 0 && layer.end === -1 ? layer : undefined;
}

/** Joins the difference from the means of an image's channels and the quotient by their deviations. */
function joinNormalizations(graph: Fusing): void {
  for (const { name, input = [] } of graph.all('RealDiv')) {
    const [centred, deviation] = input;
    const difference = graph.source(centred, 'Sub');
    const [x, mean] = difference?.input ?? [];
    if (!difference || graph.readsOf(centred) > 1) continue;
    const shapes = [mean, deviation].map((output) => graph.shapeOf(output));
    // A longer last axis of the means would repeat the image's.
    const isOfImage = graph.source(x, 'Placeholder') && shapes.every(({ length }) => length === 1);
    if (isOfImage && `${shapes[0]}` === `${shapes[1]}`)
      graph.join(name, Normalize, [x, mean, deviation], [difference]);
  }
}

/** Adds the residual of a block in the linear layer that computes its branch. */
function addResiduals(graph: Fusing, linear: OpDeclaration, into: OpDeclaration): void {
  for (const { name, input = [] } of branchSums(graph)) {
    const [residual, branch] = input;
    const layer = plainLayer(graph.source(branch, linear.name));
    if (!layer || graph.readsOf(branch) > 1) continue;
    const { x, weights, bias, node } = layer;
    graph.join(name, into, [x, ...weights, residual, ...(bias ? [bias] : [])], [node]);
  }
}

/** Joins two linear layers over the two halves of the same weights, the second of which is a gate. */
function joinGates(graph: Fusing, linear: OpDeclaration, into: OpDeclaration): void {
  const layers = graph.all(linear.name).flatMap((node) => layerOf(node) ?? []);
  for (const gate of layers.filter(({ activation, first }) => activation === 'silu' && first > 0)) {
    const [, columns] = graph.shapeOf(gate.weights[0]);
    const value = layers.find(
      ({ x, weights, bias, activation, first, end }) =>
        x === gate.x &&
        weights.every((each, i) => each === gate.weights[i]) &&
        bias === gate.bias &&
        activation === 'none' &&
        first === 0 &&
        end === gate.first,
    );
    if (!value || columns !== 2 * gate.first || (gate.end !== -1 && gate.end !== columns)) continue;
    graph.rerouteReaders(gate.node.name, `${value.node.name}:1`);
    graph.join(value.node.name, into, value.node.input ?? [], [gate.node]);
  }
}

/** Joins convolutions with the activations that follow them. */
function useConvolutions(graph: Fusing): void {
  for (const node of [...graph.nodes.values()]) {
    const convolution = asConvolution(node);
    if (!convolution) continue;
    const activation = attributeOfText(convolution.activation?.toLowerCase() ?? 'none');
    graph.join(node.name, Convolution, node.input ?? [], [], { ...convolution.attr, activation });
  }
  joinActivations(graph, Convolution);
}

/** Joins nodes of an op that has an `activation` attribute with the activations that follow them. */
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

/** Joins depthwise convolutions at stride 1 with the SiLU that follows them. */
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

/**
 * Joins products of pixels that become tiles of pixels, as the converter writes a transposed convolution, with the
 * activation that follows.
 */
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

/** Joins the x_proj layer, which computes dt, B and C, its split, the projection of dt and the discretisation. */
function discretizeChoices(graph: Fusing): void {
  for (const { name, input = [] } of graph.all('Discretize')) {
    const [dt, stepBias, logA, inputGate, x] = input;
    const step = plainLayer(graph.source(dt, 'Linear'));
    const parts = graph.source(step?.x, 'SelectiveSplit');
    const choice = plainLayer(graph.source(parts?.input?.[0], 'Linear'));
    if (!step || !parts || !choice || step.bias || choice.bias || choice.x !== x) continue;
    const isPart = (output: string, index: number) => keyOf(output) === `${parts.name}:${index}`;
    const [, chosen] = graph.shapeOf(choice.weights[0]);
    if (!isPart(step.x, 0) || !isPart(inputGate, 1) || !(chosen <= MOST_CHOSEN)) continue;
    if ([dt, choice.node.name, step.x, inputGate].some((output) => graph.readsOf(output) > 1)) continue;
    graph.rerouteReaders(`${parts.name}:2`, `${name}:2`);
    const inputs = [x, ...choice.weights, ...step.weights, stepBias, logA];
    graph.join(name, SelectiveDiscretize, inputs, [step.node, parts, choice.node]);
  }
}
