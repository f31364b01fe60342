/** A GraphModel's graph rewritten: other nodes over the same weights, with some inputs rerouted. */
import { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, type io, keep, type Tensor } from '@tensorflow/tfjs-core';
import type { TopologyNode } from '../torch_layout.js';

type Attributes = Readonly<Record<string, unknown>>;

/** Attributes of nodes of tfjs. */
export const FLOAT: Attributes = { T: { type: 'DT_FLOAT' } };

/** The artifacts that a GraphModel was made from; tfjs keeps them where the type does not show it. */
export function artifactsOf(model: GraphModel): io.ModelArtifacts {
  return (model as unknown as { readonly artifacts: io.ModelArtifacts }).artifacts;
}

/** The nodes of a model, as model.json holds them. */
export function nodesOf(model: GraphModel): readonly TopologyNode[] {
  return (artifactsOf(model).modelTopology as { node: readonly TopologyNode[] }).node;
}

/** Inputs that stand for order of execution alone, or name the first output: `^name`, `name:0`. */
export function nodeName(input: string): string {
  return input.replace(/^\^/, '').replace(/:\d+$/, '');
}

/** The sums of a block and its branches, of GrootV and of GrootL. */
const BRANCH_SUM = /^(blocks_\d+\/(mixed|output)|layers_\d+\/output)$/;

/** The nodes that add a branch of a block, their second input, to what goes past it. */
export function branchSums({ nodes }: GraphEditor): readonly TopologyNode[] {
  return [...nodes.values()].filter(
    ({ name, op }) => (op === 'AddV2' || op === 'BranchSum') && BRANCH_SUM.test(name),
  );
}

/** Which output of its node an input is. */
export function outputIndex(input: string): number {
  return Number(/:(\d+)$/.exec(input)?.[1] ?? 0);
}

export class GraphEditor {
  readonly nodes: Map<string, TopologyNode>;
  /** Constants and variables of its own, by node name. */
  private readonly weights = new Map<string, Tensor>();

  constructor(readonly model: GraphModel) {
    this.nodes = new Map(nodesOf(model).map((node) => [node.name, node]));
  }

  /** @throws {Error} when there is no such node */
  node(name: string): TopologyNode {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`the graph has no node ${name}`);
    return node;
  }

  /** Adds a node. @returns its first output */
  add(op: string, name: string, input: readonly string[], attr: Attributes = {}): string {
    if (this.nodes.has(name)) throw new Error(`two nodes of the graph are named ${name}`);
    this.nodes.set(name, { name, op, input, attr });
    return name;
  }

  /** Puts another node in the place of one: what read that reads this. */
  replace(name: string, op: string, input: readonly string[], attr: Attributes = {}): void {
    this.nodes.set(this.node(name).name, { name, op, input, attr });
  }

  /** Adds an input of the graph, of any shape. */
  placeholder(name: string): string {
    return this.add('Placeholder', name, [], {
      dtype: { type: 'DT_FLOAT' },
      shape: { shape: { unknownRank: true } },
    });
  }

  /** Adds a constant, or a variable. The editor's graph frees it. */
  weight(name: string, tensor: Tensor): string {
    this.weights.set(name, keep(tensor));
    return this.add('Const', name, []);
  }

  /** Gives an input of a node another source. */
  reroute(name: string, index: number, source: string): void {
    const node = this.node(name);
    this.nodes.set(name, { ...node, input: node.input?.map((each, i) => (i === index ? source : each)) });
  }

  /** Gives all that read an output another source. @param except nodes that go on reading it */
  rerouteReaders(output: string, source: string, except: readonly string[] = []): void {
    const isIt = (input: string) =>
      nodeName(input) === nodeName(output) && outputIndex(input) === outputIndex(output);
    for (const [name, node] of this.nodes) {
      if (except.includes(name) || !node.input?.some(isIt)) continue;
      this.nodes.set(name, { ...node, input: node.input.map((input) => (isIt(input) ? source : input)) });
    }
  }

  /** Frees its own weights, where no graph is built after all. */
  dispose(): void {
    dispose([...this.weights.values()]);
  }

  /** The rewritten graph. It reads the weights of the model as they are at each run. */
  build(): EditedGraph {
    const graph = new GraphModel({ load: () => ({}) as io.ModelArtifacts } as unknown as io.IOHandlerSync);
    const { signature } = artifactsOf(this.model);
    const modelTopology = { node: [...this.nodes.values()], library: {}, versions: {} };
    graph.loadSync({
      modelTopology,
      signature,
      weightSpecs: [],
      weightData: new ArrayBuffer(0),
    } as unknown as io.ModelArtifacts);
    // The lists are those of the model: a variable that takes a tensor's place is seen here too.
    Object.assign(graph.weights, this.model.weights);
    for (const [name, tensor] of this.weights) graph.weights[name] = [tensor];
    return new EditedGraph(graph as GraphModel, [...this.weights.values()]);
  }
}

/** A graph over weights that another model owns. */
export class EditedGraph {
  constructor(
    readonly graph: GraphModel,
    private readonly own: readonly Tensor[],
  ) {}

  execute(inputs: Record<string, Tensor>, outputs: readonly string[]): Tensor[] {
    return [this.graph.execute(inputs, [...outputs])].flat();
  }

  /** Frees what is not the model's. */
  dispose(): void {
    dispose([...this.own]);
  }
}
