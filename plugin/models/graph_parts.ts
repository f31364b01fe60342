/**
 * A graph in parts: what lies before, between and behind the nodes that wait for values of tensors (what a detector keeps
 * is decided on the host). Each part runs at once, those of waiting nodes when what they wait for has been read; the
 * others depend on values through kernels alone, so that a backend may record them.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import type { TopologyNode } from '../torch_layout.js';
import { type EditedGraph, GraphEditor, nodeName, nodesOf, outputIndex } from './graph_editor.js';

/** Ops of tfjs that run asynchronously or know nothing of parts: loops, choices, lists, tables. */
const OTHER_CONTROL =
  /^((Ref)?(Switch|Merge|Enter|Exit|NextIteration)|(Stateless)?(If|While)|LoopCond|Where|Unique|NonMaxSuppressionV\d|Tensor(Array|List).*|.*HashTable.*|LookupTable.*|Placeholder.+)$/;

/** Nodes that run together. */
export interface GraphPart {
  readonly graph: EditedGraph;
  /** The placeholders for whose values it waits; none where the part may be recorded. */
  readonly awaited: readonly string[];
  /** Outputs that it is fed, of other parts or of nodes that the caller feeds, by the placeholders in their places. */
  readonly inputs: ReadonlyMap<string, string>;
  /** What is read of it, by other parts or by the caller. */
  readonly outputs: readonly string[];
}

/**
 * @param fed names of the nodes that the caller feeds
 * @param asked outputs that the caller asks for, as it names them
 * @param awaited the positions of the inputs whose values nodes of an op wait for
 * @returns the parts in the order in which they run; undefined for a graph that cannot be cut, or need not
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
  // Nodes of odd stages wait, for outputs of stages before theirs.
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

/** An output by its node and number, however it is written. */
export function outputKey(output: string): string {
  return `${nodeName(output)}:${outputIndex(output)}`;
}

function isConstant(node: TopologyNode | undefined): boolean {
  return node?.op === 'Const';
}

/** The nodes behind what is fed that outputs depend on, each after its inputs; undefined where one of them is not plain. */
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

/** The graph of some nodes over the same weights, with placeholders for what they read of others. */
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
      if (output.startsWith('^')) return []; // ran before
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
