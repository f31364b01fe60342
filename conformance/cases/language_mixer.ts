/** The whole mixer of a language file, as the converter builds it: with its tree pinned, with its own, and gradients. */

import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { io } from '@tensorflow/tfjs-core';
import { selectiveMixer } from '../../converters/architectures/grootl/graph.js';
import { GraphBuilder } from '../../converters/graph/graph_builder.js';
import { MemorySink } from '../../converters/graph/model_sink.js';
import { writeModel } from '../../converters/graph/model_writer.js';
import { TorchLayers } from '../../converters/graph/torch_layers.js';
import { type Parameter, Parameters } from '../../converters/parameters.js';
import { kruskal } from '../../plugin/ops/spec/kruskal.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { windowPairs } from '../../plugin/ops/window_graph.spec.js';
import { languageTreeTie, layerBound, mixerBound } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, float32, int32, type ProgramCase } from '../case.js';
import type { Judgement } from '../judgement.js';
import { largest } from '../measure.js';
import { type Comparison, combine, fail, judge, judgeTree } from '../verdict.js';
import { type CaseFile, channelsLast } from './case_file.js';
import { indicesOf } from './features_to_tree.js';
import { type Feeds, GraphUnderTest, inConstantLayout } from './graph_under_test.js';
import { contradiction, pairsOf, treesOfParentIds } from './tree_cases.js';

export function isMixer(file: CaseFile): boolean {
  return file.has('mixer.A_log', 'mixer.out_proj.weight', 'input_states', 'output');
}

/** Tokens of the prompt, one number for a batch: of several the least. */
export function contextLength(file: CaseFile): number {
  const stored = file.metadata.get('context_len');
  if (stored !== undefined) return Math.min(...[JSON.parse(stored)].flat());
  // L-P edges of the chain, three for each of P-3 tokens of the prompt, and three more at its end.
  return file.has('pairs') ? (file.ints('pairs').shape[0] - file.floats('input_states').shape[1] + 6) / 2 : 0;
}

export function mixerCases(file: CaseFile): ConformanceCase[] {
  const mixer = new MixerUnderTest(file);
  const cases: ConformanceCase[] = [pinnedCase(file, mixer)];
  if (file.has('mst_edges')) cases.push(ownTreeCase(file, mixer));
  if (file.has('grad_output')) cases.push(gradientCase(file, mixer));
  return cases;
}

/** One mixer as a model of its own: `x` [B, L, H] in place of normalised activations. */
class MixerUnderTest {
  private artifacts: Promise<io.ModelArtifacts> | undefined;
  private readonly feeds: Feeds;
  private readonly pinned: Feeds;

  constructor(private readonly file: CaseFile) {
    const x = file.floats('input_states');
    const [batch, length] = x.shape;
    const { order, parent } = treesOfParentIds(file.ints('tree_parent'));
    this.feeds = {
      x,
      input_ids: int32([batch, length], new Int32Array(batch * length)),
      prompt_length: int32([], [contextLength(file)]),
    };
    this.pinned = { 'layers_0/order': order, 'layers_0/parent': parent };
  }

  /** Loads it on the current backend and disposes it. */
  async use<T>(body: (graph: GraphUnderTest, feeds: Feeds, pinned: Feeds) => Promise<T>): Promise<T> {
    this.artifacts ??= this.convert();
    const model = await loadGraphModel(io.fromMemory(await this.artifacts));
    try {
      const graph = new GraphUnderTest(model, new Set());
      return await body(graph, this.feeds, { ...this.feeds, ...this.pinned });
    } finally {
      model.dispose();
    }
  }

  private async convert(): Promise<io.ModelArtifacts> {
    const { file } = this;
    const state = new Map<string, Parameter>();
    for (const name of file.names.filter((name) => name.startsWith('mixer.'))) {
      const { shape, values } = file.floats(name);
      state.set(name, { shape, elements: values.length, readFloat32: async () => values });
    }
    const shape = (name: string) => file.floats(`mixer.${name}`).shape;
    const [intermediate, states] = shape('A_log');
    const [hidden] = shape('out_proj.weight');
    const layers = new TorchLayers(new GraphBuilder());
    const { graph } = layers;
    const x = graph.placeholder('x', [-1, -1, hidden]);
    const tokens = graph.placeholder('input_ids', [-1, -1], 'int32');
    const prompt = graph.placeholder('prompt_length', [], 'int32');
    const edges = graph.node('WindowGraph', 'window', [tokens, prompt]);
    const sizes = {
      ...{ layers: 1, hidden, intermediate, states, vocabulary: 1, tiedHead: true, epsilon: 1e-5 },
      taps: shape('conv1d.weight')[2],
      stepRank: shape('dt_proj.weight')[1],
      bias: file.has('mixer.in_proj.bias'),
      convolutionBias: file.has('mixer.conv1d.bias'),
    };
    const window = { edges, tokenEdges: `${edges}:1` };
    selectiveMixer({ layers, sizes, window }, 0, new Parameters(state, 'mixer'), x);
    const sink = new MemorySink();
    const description = { signature: { inputs: {}, outputs: {} }, userDefinedMetadata: {}, convertedBy: '' };
    await writeModel(graph, description, sink);
    return sink.artifacts() as io.ModelArtifacts;
  }
}

/** What rounding alone may change: the output, the states after the last token, and the weights of the edges. */
function pinnedCase(file: CaseFile, mixer: MixerUnderTest): ProgramCase {
  const stored = ['output', 'output_f64'].filter((name) => file.has(name));
  return {
    kind: 'program',
    name: file.name,
    op: 'GrootL mixer, tree pinned',
    run: ({ tolerance }) =>
      mixer.use(async (graph, _feeds, pinned) => {
        const problem = outputProblem(file);
        if (problem) return fail(problem);
        const hasGraph = file.has('tree_weight');
        const nodes = ['layers_0/out_proj', 'state_0', ...(hasGraph ? ['layers_0/edge_weights'] : [])];
        const results = await graph.run(pinned, nodes);
        const given = (node: string) => (results.get(node) as CaseTensor).values;
        const bound = mixerBound(tolerance, false);
        const comparisons: Comparison[] = stored.map((tensor) => ({
          ...{ tensor, given: given('layers_0/out_proj'), expected: file.tensor(tensor).values, bound },
        }));
        if (file.has('mix_out')) {
          const expected = lastStates(file);
          comparisons.push({
            tensor: 'states after the last token',
            given: given('state_0'),
            expected,
            bound,
          });
        }
        if (hasGraph) {
          comparisons.push({
            tensor: 'layers_0/edge_weights',
            given: given('layers_0/edge_weights'),
            expected: Float64Array.from(file.floats('tree_weight').values, Math.log),
            bound: layerBound(tolerance),
          });
        }
        return judge(comparisons);
      }),
  };
}

/** The float32 reference is near its own float64. */
function outputProblem(file: CaseFile): string | undefined {
  const problems = [
    ['output', 'output_f64', false],
    ['grad_input_states', 'grad_input_states_f64', true],
  ] as const;
  for (const [name, exact, isGradient] of problems) {
    if (!file.has(name, exact)) continue;
    const expected = file.tensor(exact).values;
    const absolute = mixerBound('float32', isGradient).relative * largest(expected);
    const found = contradiction(name, file.tensor(name).values, expected, { relative: 0, absolute });
    if (found) return found;
  }
  return undefined;
}

/** `mix_out` [B, D*N, L] at vertex 0, the last token. */
function lastStates(file: CaseFile): Float64Array {
  const mixed = channelsLast(file.floats('mix_out'));
  const [batch, , channels] = mixed.shape;
  return Float64Array.from(
    { length: batch * channels },
    (_, i) => itemsOf(mixed)[Math.floor(i / channels)][i % channels],
  );
}

/** The mixer as the model runs it: its tree may differ by near ties alone, and then its output is another one. */
function ownTreeCase(file: CaseFile, mixer: MixerUnderTest): ProgramCase {
  return {
    kind: 'program',
    name: file.name,
    op: 'GrootL mixer, own tree',
    run: ({ tolerance }) =>
      mixer.use(async (graph, feeds) => {
        const nodes = ['out_proj', 'edge_weights', 'order', 'parent'].map((node) => `layers_0/${node}`);
        const results = await graph.run(feeds, nodes);
        const [output, weights, order, parent] = nodes.map((node) =>
          itemsOf(results.get(node) as CaseTensor),
        );
        const wantedTrees = itemsOf(file.ints('mst_edges'));
        const wantedOutput = itemsOf(file.tensor(file.has('output_f64') ? 'output_f64' : 'output'));
        const numVertices = order[0].length;
        const edges = windowPairs(numVertices, contextLength(file));
        const exact = itemsOf(file.floats('tree_weight')).map((row) => Float64Array.from(row, Math.log));
        const items = order.map((_, b): Judgement => {
          const tree = { order: order[b] as Int32Array, parent: parent[b] as Int32Array };
          const own = indicesOf(pairsOf(tree), edges);
          const minimal = kruskal(weights[b], edges, numVertices);
          if (own.join() !== minimal.join())
            return fail(`the tree of item ${b} is not the minimum of its weights`);
          const expected = indicesOf(wantedTrees[b], edges);
          const judgement = judgeTree(own, expected, exact[b], edges, numVertices, `item ${b}`);
          if (judgement.margin !== undefined && judgement.margin <= languageTreeTie(tolerance)) {
            return { ...judgement, verdict: 'tie-flip' };
          }
          if (judgement.verdict !== 'pass') return judgement;
          const bound = mixerBound(tolerance, false);
          return judge([
            { tensor: `output of item ${b}`, given: output[b], expected: wantedOutput[b], bound },
          ]);
        });
        return combine(items);
      }),
  };
}

/** Gradients in the input and in every weight. */
function gradientCase(file: CaseFile, mixer: MixerUnderTest): ProgramCase {
  const prefix = 'grad_f64.';
  const parameters = file.names
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  return {
    kind: 'program',
    name: file.name,
    op: 'GrootL mixer gradient, tree pinned',
    run: ({ tolerance }) =>
      mixer.use(async (graph, _feeds, pinned) => {
        const problem = outputProblem(file);
        if (problem) return fail(problem);
        const dy = float32(file.floats('grad_output').shape, file.floats('grad_output').values);
        const gradients = await graph.gradientsOf('layers_0/out_proj', dy, pinned, ['x'], parameters);
        const bound = mixerBound(tolerance, true);
        const comparisons: Comparison[] = [];
        for (const tensor of ['grad_input_states', 'grad_input_states_f64']) {
          if (!file.has(tensor)) continue;
          const given = (gradients.get('x') as CaseTensor).values;
          comparisons.push({ tensor, given, expected: file.tensor(tensor).values, bound });
        }
        for (const parameter of parameters) {
          const { values, shape } = gradients.get(parameter) as CaseTensor;
          const expected = inConstantLayout(parameter, file.tensor(prefix + parameter), shape);
          comparisons.push({ tensor: prefix + parameter, given: values, expected, bound });
        }
        return judge(comparisons);
      }),
  };
}
