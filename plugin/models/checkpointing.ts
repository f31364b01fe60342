/**
 * Gradient checkpointing (T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016): between the parts of a
 * graph only what later parts read is kept, and each part is recomputed for its gradients. tfjs has a single tape, so each
 * part is a separate gradient call.
 */
import {
  add,
  addN,
  dispose,
  engine,
  keep,
  mul,
  type NamedTensorMap,
  type Scalar,
  sum,
  type Tensor,
  tidy,
  type Variable,
} from '@tensorflow/tfjs-core';
import { declaredOp } from '../ops/declare.js';
import { branchSums, type EditedGraph, FLOAT, type GraphEditor } from './graph_editor.js';
import { nodeName, outputIndex } from './node_inputs.js';

/** A part of a graph between two cuts. */
interface Part {
  /** Nodes of earlier parts that this one reads. */
  readonly reads: string[];
  /** Nodes of this part that later parts read. */
  readonly gives: string[];
  /** Nodes with the vertices of trees that are chosen in this part; they are not chosen again. */
  readonly trees: string[];
  /** Nodes whose values the caller requests in the first pass. */
  readonly watched: string[];
}

/**
 * Plans the parts: cuts lie before and after every block branch that leads to the result. Outputs that cross from part to
 * part get names in the graph, because a single output of a multi-output node cannot be fed.
 * @param result the node whose gradients are requested, such as `logits`; the last part returns only it
 * @param watched nodes whose values are also requested in the first pass, such as the statistics of a batch
 * @returns an empty list for a graph without the result
 */
export function planParts(
  graph: GraphEditor,
  result: string,
  watched: readonly (readonly string[])[] = [],
): Part[] {
  if (!graph.nodes.has(result)) return [];
  const needed = new Map<string, number>();
  visit(graph, result, 0, needed);
  const cuts = branchSums(graph)
    .filter(({ name }) => needed.has(name) && name !== result)
    .flatMap(({ name, input = [] }) => [nodeName(input[0]), name]);
  const partOf = new Map<string, number>();
  const ends = [...new Set(cuts), result];
  for (const [part, end] of ends.entries()) visit(graph, end, part, partOf);
  const parts = ends.map((): Part => ({ reads: [], gives: [], trees: [], watched: [] }));
  for (const nodes of watched) {
    for (const node of nodes) visit(graph, node, ends.length - 1, partOf);
    parts[Math.max(...nodes.map((node) => partOf.get(nodeName(node)) as number))].watched.push(...nodes);
  }
  for (const [name, part] of [...partOf]) {
    const { op, input = [] } = graph.node(name);
    if (op === 'Identity' && choosesTree(graph.node(nodeName(input[0])).op)) parts[part].trees.push(name);
    for (const [index, source] of input.entries()) {
      const from = graph.node(nodeName(source));
      const before = partOf.get(from.name) as number;
      if (before === part || from.op === 'Const' || from.op === 'Placeholder') continue;
      const crossing = single(graph, source);
      graph.reroute(name, index, crossing);
      include(parts[part].reads, crossing);
      include(parts[before].gives, crossing);
    }
  }
  parts[ends.length - 1].gives.push(result);
  return parts;
}

/** Whether an op chooses a tree from the edges of a graph. */
function choosesTree(op: string): boolean {
  const { inputs = {}, outputs = {} } = declaredOp(op) ?? {};
  return 'edges' in inputs && 'parent' in outputs;
}

function visit(graph: GraphEditor, end: string, part: number, partOf: Map<string, number>): void {
  const open = [nodeName(end)];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (partOf.has(name)) continue;
    partOf.set(name, part);
    open.push(...(graph.node(name).input ?? []).map(nodeName));
  }
}

function include(list: string[], item: string): void {
  if (!list.includes(item)) list.push(item);
}

/** Returns a single-output node for an output that crosses a cut. */
function single(graph: GraphEditor, output: string): string {
  const [node, index] = [nodeName(output), outputIndex(output)];
  const isOnly = ![...graph.nodes.values()].some(({ input = [] }) =>
    input.some((each) => nodeName(each) === node && outputIndex(each) > 0),
  );
  if (isOnly) return node;
  const name = `${node}/output_${index}`;
  return graph.nodes.has(name)
    ? name
    : graph.add('Identity', name, [index === 0 ? node : `${node}:${index}`], FLOAT);
}

/** The result of a pass. */
interface PassResult {
  readonly value: Scalar;
  /** Value of the node that the parts lead to. */
  readonly result: Tensor;
  readonly gradients: Record<string, Tensor>;
}

/**
 * Computes loss and gradients of a pass in parts.
 * @param inputs everything that is fed; remains owned by the caller
 * @param variables weights of the graph, or inputs
 * @param watch called once per part with the values of its watched nodes
 */
export function gradientsInParts(
  graph: EditedGraph,
  parts: readonly Part[],
  inputs: NamedTensorMap,
  variables: readonly Variable[],
  loss: (result: Tensor) => Scalar,
  watch: (nodes: readonly string[], values: readonly Tensor[]) => void = () => {},
): PassResult {
  const held = new Holder();
  const flowing = new Holder();
  const found = new Holder();
  const run = (part: Part, nodes: readonly string[]) =>
    graph.execute({ ...inputs, ...held.pick([...part.reads, ...part.trees]) }, nodes);
  try {
    for (const part of parts.slice(0, -1)) {
      tidy(() => {
        const trees = part.trees.filter((name) => !(name in inputs));
        const nodes = [...part.gives, ...trees];
        const values = run(part, [...nodes, ...part.watched]);
        for (const [i, name] of nodes.entries()) held.set(name, values[i]);
        watch(part.watched, values.slice(nodes.length));
      });
    }
    const last = parts[parts.length - 1];
    const { value } = backward(last, () => {
      const [result, ...values] = run(last, [...last.gives, ...last.watched]);
      watch(last.watched, values);
      held.set(last.gives[0], result);
      return loss(result);
    });
    for (const part of parts.slice(0, -1).reverse()) {
      const given = part.gives.filter((name) => flowing.has(name));
      if (given.length > 0) {
        const only = given.length === 1 ? flowing.get(given[0]) : undefined;
        const { value: y } = backward(
          part,
          () => {
            const values = run(part, given);
            if (only) return values[0];
            // The gradient of sum(value * dy) is the gradient that dy induces.
            return addN(values.map((each, i) => sum(mul(each, flowing.get(given[i])))));
          },
          only,
        );
        y.dispose();
      }
      held.release([...part.gives, ...part.trees]);
      flowing.release(part.gives);
    }
    return { value: value as Scalar, result: held.take()[last.gives[0]], gradients: found.take() };
  } finally {
    held.release();
    flowing.release();
    found.release();
  }

  /** Adds the gradients of a part to those of the variables and of its inputs. */
  function backward(part: Part, forward: () => Tensor, dy?: Tensor): { value: Tensor } {
    const reads = part.reads.filter((name) => held.get(name).dtype === 'float32');
    const sources = [...reads.map((name) => held.get(name)), ...variables];
    return tidy(() => {
      const { value, grads } = engine().gradients(forward, sources, dy, true);
      grads.forEach((gradient, i) => {
        if (!gradient) return;
        const [holder, name] =
          i < reads.length ? [flowing, reads[i]] : [found, variables[i - reads.length].name];
        holder.set(name, holder.has(name) ? add(holder.get(name), gradient) : gradient);
      });
      return { value };
    });
  }
}

/** Named tensors that outlive tidy scopes. */
class Holder {
  private readonly tensors = new Map<string, Tensor>();

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  get(name: string): Tensor {
    return this.tensors.get(name) as Tensor;
  }

  /** Returns those of the named tensors that are present. */
  pick(names: readonly string[]): NamedTensorMap {
    return Object.fromEntries(names.filter((name) => this.has(name)).map((name) => [name, this.get(name)]));
  }

  set(name: string, tensor: Tensor): void {
    const before = this.tensors.get(name);
    this.tensors.set(name, keep(tensor.clone()));
    before?.dispose();
  }

  take(): Record<string, Tensor> {
    const all = Object.fromEntries(this.tensors);
    this.tensors.clear();
    return all;
  }

  release(names: readonly string[] = [...this.tensors.keys()]): void {
    dispose(Object.values(this.pick(names)));
    for (const name of names) this.tensors.delete(name);
  }
}
