/**
 * `--quantize int8`: layers that multiply by matrices or filters store them as 8-bit integers with a scale for each column.
 * Everything else stays float32. It transforms the finished graph, so architectures are independent of it.
 */

import { nodeName } from '../../plugin/models/node_inputs.js';
import { packedCodes, wordsOf } from '../../plugin/ops/quantized_codes.js';
import { elementsOf } from '../parameters.js';
import { CheckpointError, quote } from '../pytorch/errors.js';
import {
  type AttributeValue,
  float,
  GraphBuilder,
  type GraphNode,
  int,
  ints,
  type Output,
  outputOf,
  text,
  type Weight,
} from './graph_builder.js';

/** Smaller weights cost little, and their rounding errors affect everything that follows. */
const LEAST_INPUTS = 16;
const LEAST_OUTPUTS = 32;

/** The largest code; the range is symmetric around zero. */
const LARGEST = 127;

/** Indices of the inputs that are matrices [I, O] or filters [P, Q, I, O], by op. */
const MATRICES: Readonly<Record<string, readonly number[]>> = {
  Linear: [1],
  Conv2D: [1],
  _FusedConv2D: [1],
  SelectiveLayer: [4, 7, 8, 12],
};

/** The same graphs with int8 weights. Graphs that are written together share constants, and so are transformed together. */
export function quantizedGraphs(graphs: readonly GraphBuilder[]): GraphBuilder[] {
  const chosen = chosenWeights(graphs);
  return graphs.map((graph) => quantizedGraph(graph, chosen));
}

/** Names of the weights that are large enough and used only as factors in such layers. */
function chosenWeights(graphs: readonly GraphBuilder[]): ReadonlySet<string> {
  const chosen = new Set<string>();
  const refused = new Set<string>(graphs.flatMap(selections));
  for (const { nodes, weights } of graphs) {
    for (const node of nodes) {
      for (const [index, input] of node.input.entries()) {
        const weight = weights.get(input);
        if (!weight) continue;
        const isMatrix = MATRICES[node.op]?.includes(index) && (node.op !== 'Conv2D' || isPlain(node));
        (isMatrix && isLarge(weight) ? chosen : refused).add(input);
      }
    }
  }
  return new Set([...chosen].filter((name) => !refused.has(name)));
}

/**
 * Weights of the projections to dt, B and C before a discretisation. They are small, and kernels compute them and the
 * discretisation together, in float32.
 */
function selections({ nodes }: GraphBuilder): string[] {
  const inputsOf = new Map(nodes.map(({ name, input }) => [name, input]));
  const source = (output: Output) => inputsOf.get(nodeName(output)) ?? [];
  return nodes.flatMap(({ op, input: [dt, , , inputGate] }) => {
    if (op !== 'Discretize') return [];
    const [selected] = source(inputGate);
    return [source(dt)[1], source(selected)[1]];
  });
}

function isLarge({ shape, quantizable, dtype }: Weight): boolean {
  const [inputs, outputs] = shape.slice(-2);
  return quantizable && dtype === 'float32' && inputs >= LEAST_INPUTS && outputs >= LEAST_OUTPUTS;
}

/** Whether a convolution is padded explicitly, as all of ours are. */
function isPlain(node: GraphNode): boolean {
  return (node.attr.padding as { s?: string } | undefined)?.s === btoa('EXPLICIT');
}

function quantizedGraph(graph: GraphBuilder, chosen: ReadonlySet<string>): GraphBuilder {
  const made = new GraphBuilder();
  const moved = new Map<Output, Output>();
  for (const node of graph.nodes) {
    const { name, op, attr } = node;
    const input = node.input.map((each) => moved.get(each) ?? each);
    const weight = graph.weights.get(name);
    if (weight && chosen.has(name)) addWeights(made, name, weight);
    else if (weight) made.constant(name, weight, withoutValue(attr));
    else if (!MATRICES[op]?.some((index) => chosen.has(input[index]))) made.node(op, name, input, attr);
    else if (op === 'Linear') addLinear(made, name, input, attr, chosen);
    else if (op === 'SelectiveLayer') addLayer(made, graph, { name, input, attr }, chosen, moved);
    else addConvolution(made, graph, { name, input, attr });
  }
  return made;
}

/** The attributes without those that `constant` adds itself. */
function withoutValue({ dtype: _, value: __, ...attr }: GraphNode['attr']): Record<string, AttributeValue> {
  return attr;
}

const scalesOf = (weights: Output): Output => `${weights}/scales`;

function addWeights(graph: GraphBuilder, name: string, weight: Weight): void {
  const columns = weight.shape[weight.shape.length - 1];
  const terms = elementsOf(weight.shape.slice(0, -1));
  const read = async () => {
    const values = await weight.read();
    return { values, scales: columnScales(name, values, columns) };
  };
  graph.constant(name, {
    shape: [wordsOf(terms), columns],
    dtype: 'int32',
    read: async () => {
      const { values, scales } = await read();
      const codes = Int8Array.from(values, (value, i) => Math.round(value / (scales[i % columns] || 1)));
      return packedCodes(codes, columns);
    },
    quantizable: false,
  });
  graph.constant(scalesOf(name), {
    shape: [columns],
    dtype: 'float32',
    read: async () => (await read()).scales,
    quantizable: false,
  });
}

/** The quantisation step of each column: its largest absolute weight / 127. @throws {CheckpointError} 'values' */
function columnScales(name: string, values: ArrayLike<number>, columns: number): Float32Array {
  const scales = new Float32Array(columns);
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]);
    if (!Number.isFinite(magnitude)) {
      const message = `the tensor ${quote(name)} has values that are not finite and cannot be stored as int8`;
      throw new CheckpointError('values', message);
    }
    if (magnitude > scales[i % columns]) scales[i % columns] = magnitude;
  }
  return scales.map((largest) => largest / LARGEST);
}

function addLinear(
  graph: GraphBuilder,
  name: string,
  [x, weights, ...bias]: readonly Output[],
  attr: GraphNode['attr'],
  chosen: ReadonlySet<string>,
): Output {
  if (!chosen.has(weights)) return graph.node('Linear', name, [x, weights, ...bias], attr);
  return graph.node('QuantizedLinear', name, [x, weights, scalesOf(weights), ...bias], attr);
}

type Part = Pick<GraphNode, 'name' | 'input' | 'attr'>;

function addConvolution(graph: GraphBuilder, { weights }: GraphBuilder, { name, input, attr }: Part): void {
  const [x, filter, ...bias] = input;
  const [rows, columns] = (weights.get(filter) as Weight).shape;
  const numbers = (attribute: string) => {
    const { list } = attr[attribute] as { readonly list: { readonly i: readonly string[] } };
    return list.i.map(Number);
  };
  const middle = (attribute: string) => ints(numbers(attribute).slice(1, 3));
  const { list } = (attr.fused_ops ?? { list: { s: [] } }) as { list: { s: readonly string[] } };
  graph.node('QuantizedConvolution', name, [x, filter, scalesOf(filter), ...bias], {
    rows: int(rows),
    columns: int(columns),
    strides: middle('strides'),
    dilations: middle('dilations'),
    padding: ints(numbers('explicit_paddings').slice(2, 6)),
    activation: text(list.s.includes(btoa('Relu')) ? 'relu' : 'none'),
  });
}

/** A language model layer split into its parts, since the op for the whole layer takes float32 matrices. */
function addLayer(
  graph: GraphBuilder,
  { weights }: GraphBuilder,
  { name, input, attr }: Part,
  chosen: ReadonlySet<string>,
  moved: Map<Output, Output>,
): void {
  const [x, state, past, gamma, inputProjection, filter, filterBias, selection, stepProjection, ...rest] =
    input;
  const [stepBias, logA, skip, outputProjection, inputBias, outputBias] = rest;
  const [channels, states] = (weights.get(logA) as Weight).shape;
  const node = (op: string, part: string, inputs: readonly Output[], attributes: GraphNode['attr'] = {}) =>
    graph.node(op, `${name}/${part}`, inputs, attributes);
  const linear = (
    part: string,
    inputs: readonly (Output | undefined)[],
    attributes: GraphNode['attr'] = {},
  ) => {
    const given = inputs.filter((each) => each !== undefined);
    return addLinear(graph, `${name}/${part}`, given, { activation: text('none'), ...attributes }, chosen);
  };
  const given = (attribute: string, otherwise: number) => attr[attribute] ?? float(otherwise);
  const normalized = node('RootMeanSquareNormalization', 'normalized', [x, gamma], {
    epsilon: given('epsilon', 1e-5),
  });
  const projected = linear('projected', [normalized, inputProjection, inputBias], {
    end_output: int(channels),
  });
  const gate = linear('gate', [normalized, inputProjection, inputBias], {
    first_output: int(channels),
    activation: text('silu'),
  });
  const u = node('CausalConvolution', 'u', [projected, filter, filterBias, past]);
  const selected = linear('selected', [u, selection]);
  const parts = node('SelectiveSplit', 'parts', [selected], { states: int(states) });
  const dt = linear('raw_step', [parts, stepProjection]);
  const step = node('SelectiveStep', 'step', [dt, stepBias, u]);
  const [inputGate, outputGate] = [outputOf(parts, 1), outputOf(parts, 2)];
  const scanned = node(
    'SelectiveScan',
    'scanned',
    [step, outputOf(step, 1), logA, inputGate, outputGate, state],
    {
      input_scale: given('input_scale', 1),
    },
  );
  const type = { T: { type: 'DT_FLOAT' } };
  const skipped = node('AddV2', 'sums', [scanned, node('Mul', 'skipped', [u, skip], type)], type);
  const gated = node('Mul', 'gated', [skipped, gate], type);
  const branch = linear('branch', [gated, outputProjection, outputBias]);
  graph.node('AddV2', name, [x, branch], type);
  moved.set(outputOf(name, 1), outputOf(scanned, 1));
  moved.set(outputOf(name, 2), outputOf(u, 1));
}
