/**
 * Splits a graph into parts: before, between and after the nodes that wait for tensor values (which boxes a detector keeps
 * is decided on the host). Each part runs synchronously; parts with waiting nodes run once the values they need have been
 * read. The other parts depend on values only through kernels, so that a backend may record them.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { TopologyNode } from '../torch_layout.js';
import { type EditedGraph, GraphEditor, nodesOf } from './graph_editor.js';
import { nodeName, outputIndex } from './node_inputs.js';

/** tfjs ops that run asynchronously or cannot be split into parts: loops, conditionals, lists, tables. */
const OTHER_CONTROL =
  /^((Ref)?(Switch|Merge|Enter|Exit|NextIteration)|(Stateless)?(If|While)|LoopCond|Where|Unique|NonMaxSuppressionV\d|Tensor(Array|List).*|.*HashTable.*|LookupTable.*|Placeholder.+)$/;

/** Nodes that run together. */
export interface GraphPart {
  readonly graph: EditedGraph;
  /** The placeholders whose values it waits for; empty if the part may be recorded. */
  readonly awaited: readonly string[];
  /** Outputs of other parts or of fed nodes that this part is fed, by the placeholders that replace them. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Outputs that other parts or the caller read. */
  readonly outputs: readonly string[];
}

/**
 * @param fed names of the nodes that the caller feeds
 * @param asked outputs that the caller requests, as it names them
 * @param awaited positions of the inputs whose values nodes of an op wait for
 * @returns the parts in execution order; undefined for a graph that cannot or need not be split
 */
export function partsOf(
  model: GraphModel,
  fed: readonly string[],
  asked: readonly string[],
  awaited: (op: string) => readonly number[],
): GraphPart[] | undefined {
  const nodes = new Map(nodesOf(model).map((node) => [node.name, node]));
  const isFed = (name: string) => fed.includes(name);
  const order = neededNodes(nodes, isFed, asked);
  if (!order || asked.some((output) => isFed(nodeName(output)) || isConstant(nodes.get(nodeName(output))))) {
    return undefined;
  }
  // Nodes of odd stages wait for outputs of earlier stages.
  const stages = new Map<string, number>();
  for (const { name, op, input = [] } of order) {
    const before = Math.max(0, ...input.map((each) => stages.get(nodeName(each)) ?? 0));
    const isOdd = before % 2;
    stages.set(name, before + (awaited(op).length > 0 ? 1 + isOdd : isOdd));
  }
  const last = Math.max(...stages.values());
  if (!(last > 0)) return undefined;
  const parts = Array.from({ length: last + 1 }, (_, stage) =>
    order.filter(({ name }) => stages.get(name) === stage),
  );
  const isOf = (output: string, stage: number) => stages.get(nodeName(output)) === stage;
  return parts.flatMap((part, stage) => {
    if (part.length === 0) return [];
    const read = order.filter((node) => stages.get(node.name) !== stage).flatMap(({ input = [] }) => input);
    const outputs = [...read.filter((output) => !output.startsWith('^')), ...asked].filter((output) =>
      isOf(output, stage),
    );
    return [{ ...cut(model, part, nodes, awaited), outputs: [...new Set(outputs.map(outputKey))] }];
  });
}

/** Normalises an output's name to node and index. */
export function outputKey(output: string): string {
  return `${nodeName(output)}:${outputIndex(output)}`;
}

function isConstant(node: TopologyNode | undefined): boolean {
  return node?.op === 'Const';
}

/**
 * Returns the nodes between the fed nodes and the requested outputs, each after its inputs; undefined if one is unsupported.
 */
function neededNodes(
  nodes: ReadonlyMap<string, TopologyNode>,
  isFed: (name: string) => boolean,
  outputs: readonly string[],
): TopologyNode[] | undefined {
  const order = new Set<TopologyNode>();
  const open = outputs.map(nodeName);
  while (open.length > 0) {
    const node = nodes.get(open[open.length - 1]);
    if (!node || OTHER_CONTROL.test(node.op)) return undefined;
    const missing = isFed(node.name)
      ? []
      : (node.input ?? []).map(nodeName).filter((name) => {
          const input = nodes.get(name);
          return !isFed(name) && !isConstant(input) && !(input && order.has(input));
        });
    open.push(...missing);
    if (missing.length > 0) continue;
    open.pop();
    if (!isFed(node.name) && !isConstant(node)) order.add(node);
  }
  return [...order];
}

/** Builds the graph of some nodes over the same weights, with placeholders for inputs from other parts. */
function cut(
  model: GraphModel,
  part: readonly TopologyNode[],
  nodes: ReadonlyMap<string, TopologyNode>,
  awaited: (op: string) => readonly number[],
): Omit<GraphPart, 'outputs'> {
  const own = new Set(part.map(({ name }) => name));
  const editor = new GraphEditor(model);
  editor.nodes.clear();
  const inputs = new Map<string, string>();
  const reads = new Set<string>();
  for (const { input = [], ...node } of part) {
    const given = input.flatMap((output) => {
      const name = nodeName(output);
      const source = nodes.get(name);
      if (own.has(name)) return [output];
      if (source && isConstant(source)) {
        editor.nodes.set(name, source);
        return [output];
      }
      if (output.startsWith('^')) return []; // has already run
      const placeholder = `${name}@${outputIndex(output)}`;
      if (!inputs.has(placeholder)) editor.add('Placeholder', placeholder, []);
      inputs.set(placeholder, outputKey(output));
      return [placeholder];
    });
    editor.nodes.set(node.name, { ...node, input: given });
    for (const i of awaited(node.op)) if (inputs.has(given[i])) reads.add(given[i]);
  }
  return { graph: editor.build(), awaited: [...reads], inputs };
}
