/**
 * The mixer of a file, as built by the converter: with its tree pinned, with its own tree, and gradients. For language files, and
 * for the temporal mixers of GG-SSM, which have another layout.
 */

import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { io } from '@tensorflow/tfjs-core';
import { mixerSizes, selectiveMixer } from '../../converters/architectures/grootl/mixer.js';
import { GraphBuilder } from '../../converters/graph/graph_builder.js';
import { MemorySink } from '../../converters/graph/model_sink.js';
import { writeModel } from '../../converters/graph/model_writer.js';
import { TorchLayers } from '../../converters/graph/torch_layers.js';
import { type Parameter, Parameters } from '../../converters/parameters.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { windowPairs } from '../../plugin/ops/window_graph.spec.js';
import { languageTreeTie, layerBound, mixerBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  float32,
  int32,
  type ProgramCase,
  programCase,
} from '../case.js';
import type { Judgement } from '../judgement.js';
import { largest } from '../measure.js';
import { type Comparison, combine, comparison, fail, judge, judgeTree } from '../verdict.js';
import { type CaseFile, channelsLast } from './case_file.js';
import { indicesOf, minimalTree } from './features_to_tree.js';
import { type Feeds, GraphUnderTest, inConstantLayout } from './graph_under_test.js';
import { contradiction, pairsOf, treesOfParentIds } from './tree_cases.js';

/** Names of a mixer's tensors. In lists, those after the first are the same values in float64. */
export interface MixerLayout {
  readonly op: string;
  /** [B, L, H] */
  readonly input: string;
  readonly outputs: readonly string[];
  /** Parent vertices, [B, L]; edge weights are exp(-cosine). */
  readonly parent: string;
  readonly weights: string;
  readonly inputGradients: readonly string[];
  /** Prefix of the parameter names, and the name of a parameter's gradient. */
  readonly prefix: string;
  gradientOf(parameter: string): string;
  /** False if the convolution is stored but not used. */
  readonly convolves?: boolean;
}

const LANGUAGE: MixerLayout = {
  op: 'GrootL mixer',
  input: 'input_states',
  outputs: ['output', 'output_f64'],
  parent: 'tree_parent',
  weights: 'tree_weight',
  inputGradients: ['grad_input_states', 'grad_input_states_f64'],
  prefix: 'mixer.',
  gradientOf: (parameter) => `grad_f64.mixer.${parameter}`,
};

export function isMixer(file: CaseFile): boolean {
  return file.has('mixer.A_log', 'mixer.out_proj.weight', 'input_states', 'output');
}

/** Prompt length in tokens, one for a batch: the minimum if there are several. */
export function contextLength(file: CaseFile): number {
  const stored = file.metadata.get('context_len');
  if (stored !== undefined) return Math.min(...[JSON.parse(stored)].flat());
  // L-P edges of the chain, three for each of P-3 tokens of the prompt, and three more at its end.
  return file.has('pairs') ? (file.ints('pairs').shape[0] - file.floats('input_states').shape[1] + 6) / 2 : 0;
}

export function mixerCases(file: CaseFile, layout: MixerLayout = LANGUAGE): ConformanceCase[] {
  const mixer = new MixerUnderTest(file, layout);
  const cases: ConformanceCase[] = [pinnedCase(file, layout, mixer)];
  if (file.has(layout.weights)) cases.push(ownTreeCase(file, layout, mixer));
  if (file.has('grad_output')) cases.push(gradientCase(file, layout, mixer));
  return cases;
}

/** A model of a single mixer: `x` [B, L, H] replaces the normalised activations. */
class MixerUnderTest {
  private artifacts: Promise<io.ModelArtifacts> | undefined;
  private readonly feeds: Feeds;
  private readonly pinned: Feeds;

  constructor(
    private readonly file: CaseFile,
    private readonly layout: MixerLayout,
  ) {
    const x = file.floats(layout.input, 3);
    const [batch, length] = x.shape;
    this.feeds = {
      x,
      input_ids: int32([batch, length], new Int32Array(batch * length)),
      prompt_length: int32([], [contextLength(file)]),
    };
    // With a short prompt the graph is a chain, for which files have no tree.
    const trees = file.has(layout.parent) ? treesOfParentIds(file.ints(layout.parent, 2)) : undefined;
    this.pinned = trees ? { 'layers_0/order': trees.order, 'layers_0/parent': trees.parent } : {};
  }

  /** Loads it on the current backend, and disposes of it afterwards. */
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
    const { file, layout } = this;
    const state = new Map<string, Parameter>();
    for (const parameter of parametersOf(file, layout)) {
      const { shape, values } = file.floats(layout.prefix + parameter);
      state.set(`mixer.${parameter}`, { shape, elements: values.length, readFloat32: async () => values });
    }
    const parameters = new Parameters(state, 'mixer');
    const hidden = parameters.size('out_proj.weight', 0, 0);
    const layers = new TorchLayers(new GraphBuilder());
    const { graph } = layers;
    const x = graph.placeholder('x', [-1, -1, hidden]);
    const tokens = graph.placeholder('input_ids', [-1, -1], 'int32');
    const prompt = graph.placeholder('prompt_length', [], 'int32');
    const edges = graph.node('WindowGraph', 'window', [tokens, prompt]);
    const sizes = {
      ...mixerSizes(parameters, hidden),
      convolutionBias: parameters.has('conv1d.bias'),
      convolves: layout.convolves,
    };
    const window = { edges, tokenEdges: `${edges}:1` };
    const { state: last } = selectiveMixer({ layers, sizes, window }, 'layers_0', parameters, x);
    graph.node('Identity', 'state_0', [last]);
    const sink = new MemorySink();
    await writeModel(graph, sink);
    return sink.artifacts() as io.ModelArtifacts;
  }
}

/** Names of the parameters of a mixer. */
function parametersOf(file: CaseFile, { prefix }: MixerLayout): string[] {
  return file.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
}

/** What only rounding may change: the output, the states after the last token, and the edge weights. */
function pinnedCase(file: CaseFile, layout: MixerLayout, mixer: MixerUnderTest): ProgramCase {
  const stored = layout.outputs.filter((name) => file.has(name));
  return programCase(file.name, `${layout.op}, tree pinned`, ({ tolerance }) =>
    mixer.use(async (graph, _feeds, pinned) => {
      const problem = outputProblem(file, layout);
      if (problem) return fail(problem);
      const hasGraph = file.has(layout.weights);
      const nodes = ['layers_0/out_proj', 'state_0', ...(hasGraph ? ['layers_0/edge_weights'] : [])];
      const results = await graph.run(pinned, nodes);
      const given = (node: string) => (results.get(node) as CaseTensor).values;
      const bound = mixerBound(tolerance, false);
      const comparisons = stored.map((tensor) =>
        comparison(tensor, given('layers_0/out_proj'), file.tensor(tensor).values, bound),
      );
      if (file.has('mix_out')) {
        const expected = lastStates(file);
        comparisons.push(comparison('states after the last token', given('state_0'), expected, bound));
      }
      if (hasGraph) {
        comparisons.push(
          comparison(
            'layers_0/edge_weights',
            given('layers_0/edge_weights'),
            Float64Array.from(file.floats(layout.weights).values, Math.log),
            layerBound(tolerance),
          ),
        );
      }
      return judge(comparisons);
    }),
  );
}

/** Checks that the float32 reference is close to its own float64. */
function outputProblem(file: CaseFile, { outputs, inputGradients }: MixerLayout): string | undefined {
  const problems = [
    [outputs, false],
    [inputGradients, true],
  ] as const;
  for (const [[name, exact], isGradient] of problems) {
    if (exact === undefined || !file.has(name, exact)) continue;
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

/** The mixer as run in the model: its tree may only differ by near ties, in which case the output differs. */
function ownTreeCase(file: CaseFile, layout: MixerLayout, mixer: MixerUnderTest): ProgramCase {
  return programCase(file.name, `${layout.op}, own tree`, ({ tolerance }) =>
    mixer.use(async (graph, feeds) => {
      const nodes = ['out_proj', 'edge_weights', 'order', 'parent'].map((node) => `layers_0/${node}`);
      const results = await graph.run(feeds, nodes);
      const [output, weights, order, parent] = nodes.map((node) => itemsOf(results.get(node) as CaseTensor));
      const { trees } = treesOfParentIds(file.ints(layout.parent, 2));
      const stored = layout.outputs.filter((name) => file.has(name));
      const expectedOutput = itemsOf(file.tensor(stored[stored.length - 1]));
      const numVertices = order[0].length;
      const edges = windowPairs(numVertices, contextLength(file));
      const exact = itemsOf(file.floats(layout.weights, 2)).map((row) => Float64Array.from(row, Math.log));
      const items = order.map((_, b): Judgement => {
        const own = minimalTree(order[b], parent[b], weights[b], edges);
        if (!own) return fail(`the tree of item ${b} is not the minimum of its weights`);
        const expected = indicesOf(pairsOf(trees[b]), edges);
        const judgement = judgeTree(own, expected, exact[b], edges, numVertices, `item ${b}`);
        if (judgement.margin !== undefined && judgement.margin <= languageTreeTie(tolerance)) {
          return { ...judgement, verdict: 'tie-flip' };
        }
        if (judgement.verdict !== 'pass') return judgement;
        const bound = mixerBound(tolerance, false);
        return judge([comparison(`output of item ${b}`, output[b], expectedOutput[b], bound)]);
      });
      return combine(items);
    }),
  );
}

/** Gradients with respect to the input and every weight. */
function gradientCase(file: CaseFile, layout: MixerLayout, mixer: MixerUnderTest): ProgramCase {
  const parameters = parametersOf(file, layout).filter((name) => file.has(layout.gradientOf(name)));
  return programCase(file.name, `${layout.op} gradient, tree pinned`, ({ tolerance }) =>
    mixer.use(async (graph, _feeds, pinned) => {
      const problem = outputProblem(file, layout);
      if (problem) return fail(problem);
      const dy = float32(file.floats('grad_output').shape, file.floats('grad_output').values);
      const gradients = await graph.gradientsOf(
        'layers_0/out_proj',
        dy,
        pinned,
        ['x'],
        parameters.map((name) => `mixer.${name}`),
      );
      const bound = mixerBound(tolerance, true);
      const comparisons: Comparison[] = [];
      for (const tensor of layout.inputGradients) {
        if (!file.has(tensor)) continue;
        const given = (gradients.get('x') as CaseTensor).values;
        comparisons.push(comparison(tensor, given, file.tensor(tensor).values, bound));
      }
      for (const parameter of parameters) {
        const { values, shape } = gradients.get(`mixer.${parameter}`) as CaseTensor;
        const tensor = layout.gradientOf(parameter);
        const expected = inConstantLayout(parameter, file.tensor(tensor), shape);
        comparisons.push(comparison(tensor, values, expected, bound));
      }
      return judge(comparisons);
    }),
  );
}
