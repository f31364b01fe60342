/** Rewrites a GraphModel's graph: adds and replaces nodes over the same weights and reroutes inputs. */
import { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, type io, keep, type Tensor } from '@tensorflow/tfjs-core';
import type { TopologyNode } from '../torch_layout.js';
import { nodeName, outputIndex } from './node_inputs.js';

type Attributes = Readonly<Record<string, unknown>>;

/** Attributes of float32 tfjs nodes. */
export const FLOAT: Attributes = { T: { type: 'DT_FLOAT' } };

/** Returns the artifacts that a GraphModel was created from; tfjs keeps them in a field that its type does not declare. */
export function artifactsOf(model: GraphModel): io.ModelArtifacts {
  return (model as unknown as { readonly artifacts: io.ModelArtifacts }).artifacts;
}

/** Returns the nodes of a model, as in model.json. */
export function nodesOf(model: GraphModel): readonly TopologyNode[] {
  return (artifactsOf(model).modelTopology as { node: readonly TopologyNode[] }).node;
}

/** Names of the nodes that add block branches, in GrootV and GrootL. */
const BRANCH_SUM = /^(blocks_\d+\/(mixed|output)|layers_\d+\/output)$/;

/** Returns the nodes that add a block's branch, their second input, to its residual stream. */
export function branchSums({ nodes }: GraphEditor): readonly TopologyNode[] {
  return [...nodes.values()].filter(
    ({ name, op }) => (op === 'AddV2' || op === 'BranchSum') && BRANCH_SUM.test(name),
  );
}

export class GraphEditor {
  readonly nodes: Map<string, TopologyNode>;
  /** The editor's own constants and variables, by node name. */
  private readonly weights = new Map<string, Tensor>();

  constructor(readonly model: GraphModel) {
    this.nodes = new Map(nodesOf(model).map((node) => [node.name, node]));
  }

  /** @throws {Error} if there is no such node. */
  node(name: string): TopologyNode {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`the graph has no node ${name}`);
    return node;
  }

  /**
   * Adds a node.
   * @returns its first output
   */
  add(op: string, name: string, input: readonly string[], attr: Attributes = {}): string {
    if (this.nodes.has(name)) throw new Error(`two nodes of the graph are named ${name}`);
    this.nodes.set(name, { name, op, input, attr });
    return name;
  }

  /** Replaces a node by another of the same name, so that its readers read the new one. */
  replace(name: string, op: string, input: readonly string[], attr: Attributes = {}): void {
    this.nodes.set(this.node(name).name, { name, op, input, attr });
  }

  /** Adds an input of any shape to the graph. */
  placeholder(name: string): string {
    return this.add('Placeholder', name, [], {
      dtype: { type: 'DT_FLOAT' },
      shape: { shape: { unknownRank: true } },
    });
  }

  /** Adds a constant or variable, which is freed with the edited graph. */
  weight(name: string, tensor: Tensor): string {
    this.weights.set(name, keep(tensor));
    return this.add('Const', name, []);
  }

  /** Changes the source of a node's input. */
  reroute(name: string, index: number, source: string): void {
    const node = this.node(name);
    this.nodes.set(name, { ...node, input: node.input?.map((each, i) => (i === index ? source : each)) });
  }

  /**
   * Changes the source of every input that reads an output.
   * @param except nodes that keep reading it
   */
  rerouteReaders(output: string, source: string, except: readonly string[] = []): void {
    const isIt = (input: string) =>
      nodeName(input) === nodeName(output) && outputIndex(input) === outputIndex(output);
    for (const [name, node] of this.nodes) {
      if (except.includes(name) || !node.input?.some(isIt)) continue;
      this.nodes.set(name, { ...node, input: node.input.map((input) => (isIt(input) ? source : input)) });
    }
  }

  /** Frees the editor's own weights if no graph is built. */
  dispose(): void {
    dispose([...this.weights.values()]);
  }

  /** Builds the rewritten graph. On each run it reads the current weights of the model. */
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
    // The tensor lists are shared with the model, so that a variable that replaces a tensor is seen here too.
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

  /** Frees the weights that do not belong to the model. */
  dispose(): void {
    dispose([...this.own]);
  }
}
