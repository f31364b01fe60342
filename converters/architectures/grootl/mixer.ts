/**
 * The mixer of a Mamba layer (A. Gu and T. Dao, "Mamba", 2023, section 3.4) with GrootL's tree over the text (GrootVL, section
 * 3.4). GG-SSM also uses it, over frames and over patches of time series.
 */
import { float, int, ints, type Output, outputOf, text, type } from '../../graph/graph_builder.js';
import type { TorchLayers } from '../../graph/torch_layers.js';
import { fedTree, spanningTree } from '../../graph/tree_nodes.js';
import type { Parameters } from '../../parameters.js';

/** Factor that the authors apply to the tree's sums. */
export const TREE_WEIGHT = 0.3;
/** How many positions apart tokens of the prompt can be and still share an edge. */
export const REACH = 3;
const SELECTION = 'x_proj.weight';

export interface MixerSizes {
  /** Input and output channels. */
  readonly hidden: number;
  /** Channels of the state-space model. */
  readonly intermediate: number;
  /** States per channel. */
  readonly states: number;
  /** Kernel size of the causal convolution. */
  readonly taps: number;
  /** Rank of the projection that gives the step size dt. */
  readonly stepRank: number;
  /** Whether the input and output projections have biases. */
  readonly bias: boolean;
  readonly convolutionBias: boolean;
  /** False if the convolution over time and the SiLU after it are left out. */
  readonly convolves?: boolean;
  /** Name of the weights of the projection to dt, B and C, if not the usual one. */
  readonly selection?: string;
}

/** Where a mixer's nodes are added, and the graph over its tokens if it has a tree. */
export interface MixerContext {
  readonly layers: TorchLayers;
  readonly sizes: MixerSizes;
  readonly window?: { readonly edges: Output; readonly tokenEdges: Output };
}

export interface Mixed {
  /** [N, L, hidden] */
  readonly output: Output;
  /** State after the last token: [N, intermediate, states]. */
  readonly state: Output;
  /** State of the convolution, [N, taps - 1, intermediate]; undefined without a convolution. */
  readonly past?: Output;
}

/**
 * The sizes of a mixer, inferred from its parameters.
 * @param hidden input and output channels
 */
export function mixerSizes(mixer: Parameters, hidden: number): MixerSizes {
  return {
    hidden,
    intermediate: mixer.size('A_log', 0, 2 * hidden),
    states: mixer.size('A_log', 1, 16),
    taps: mixer.size('conv1d.weight', 2, 4),
    stepRank: mixer.size('dt_proj.weight', 1, Math.ceil(hidden / 16)),
    bias: mixer.has('in_proj.bias'),
    convolutionBias: true,
    // With dropout on the projection's input in training, the projection is the first of two modules.
    selection: mixer.has('x_proj.0.weight') ? 'x_proj.0.weight' : SELECTION,
  };
}

/** The graph over all tokens of sequences [N, L, ...], whose prompt is the whole sequence: nodes `<name>/...`. */
export function wholeWindow(
  layers: TorchLayers,
  name: string,
  sequence: Output,
): { edges: Output; tokenEdges: Output } {
  const { graph } = layers;
  const shape = graph.shapeOf(`${name}/shape`, sequence);
  const text = graph.slice(`${name}/text`, shape, [0], [2], 'int32');
  const length = graph.slice(`${name}/lengths`, shape, [1], [1], 'int32');
  const tokens = graph.node('Fill', `${name}/tokens`, [text, graph.literal(`${name}/zero`, 0, 'int32')], {
    T: type('int32'),
    index_type: type('int32'),
  });
  const prompt = graph.node('Squeeze', `${name}/prompt_length`, [length], {
    T: type('int32'),
    squeeze_dims: ints([0]),
  });
  const edges = graph.node('WindowGraph', name, [tokens, prompt], { reach: int(REACH) });
  return { edges, tokenEdges: outputOf(edges, 1) };
}

/** The parameters of a mixer except its convolution, with their shapes. */
export function mixerParameters(
  mixer: Parameters,
  { hidden, intermediate, states, stepRank, bias, selection = SELECTION }: MixerSizes,
) {
  return {
    inputProjection: mixer.tensor('in_proj.weight', [2 * intermediate, hidden]),
    /** Rows of the projection: the low-rank dt, then B, then C. */
    selection: mixer.tensor(selection, [stepRank + 2 * states, intermediate]),
    stepProjection: mixer.tensor('dt_proj.weight', [intermediate, stepRank]),
    stepBias: mixer.tensor('dt_proj.bias', [intermediate]),
    decay: mixer.tensor('A_log', [intermediate, states]),
    skip: mixer.tensor('D', [intermediate]),
    outputProjection: mixer.tensor('out_proj.weight', [hidden, intermediate]),
    biases: bias
      ? {
          input: mixer.tensor('in_proj.bias', [2 * intermediate]),
          output: mixer.tensor('out_proj.bias', [hidden]),
        }
      : undefined,
  };
}

/** Kernel and bias of the convolution; a zero bias if it has none. */
export function convolutionParameters(
  layers: TorchLayers,
  mixer: Parameters,
  { intermediate, taps, convolutionBias }: MixerSizes,
): [filter: Output, bias: Output] {
  const weights = layers.causalFilter(mixer.tensor('conv1d.weight', [intermediate, 1, taps]));
  if (convolutionBias) return [weights, layers.vector(mixer.tensor('conv1d.bias', [intermediate]))];
  const zeros = layers.graph.constant(mixer.nameOf('conv1d.bias'), {
    shape: [intermediate],
    dtype: 'float32',
    read: async () => new Float32Array(intermediate),
    quantizable: false,
  });
  return [weights, zeros];
}

/**
 * The selective state-space model of a layer, with a tree over the tokens if the context has a token graph: nodes `<name>/...`.
 */
export function selectiveMixer(
  context: MixerContext,
  name: string,
  module: Parameters,
  input: Output,
): Mixed {
  const { layers, sizes } = context;
  const { graph } = layers;
  const mixer = mixerParameters(module, sizes);

  const projection = { weights: mixer.inputProjection, bias: mixer.biases?.input };
  const projected = layers.linear(`${name}/in_proj`, input, { ...projection, part: [0, 1 / 2] });
  const gate = layers.linear(`${name}/gate`, input, {
    ...projection,
    part: [1 / 2, 1],
    activation: 'silu',
  });
  const { convolves = true } = sizes;
  const convolved = convolves
    ? graph.node('CausalConvolution', `${name}/x`, [
        projected,
        ...convolutionParameters(layers, module, sizes),
      ])
    : projected;

  const selected = layers.linear(`${name}/x_proj`, convolved, { weights: mixer.selection });
  const parts = graph.node('SelectiveSplit', `${name}/parts`, [selected], { states: int(sizes.states) });
  const [inputGate, outputGate] = [outputOf(parts, 1), outputOf(parts, 2)];
  const dt = layers.linear(`${name}/dt_proj`, parts, { weights: mixer.stepProjection });
  const step = graph.node('SelectiveStep', `${name}/step`, [dt, layers.vector(mixer.stepBias), convolved]);
  const drive = outputOf(step, 1);

  const scanned = [step, drive, layers.asStored(mixer.decay), inputGate, outputGate];
  const y = context.window
    ? graph.node(
        'SelectiveTreeScan',
        `${name}/scan`,
        [...scanned, ...tree(context, name, drive, inputGate)],
        {
          tree_weight: float(TREE_WEIGHT),
        },
      )
    : graph.node('SelectiveScan', `${name}/scan`, scanned);

  const skipped = graph.node('Mul', `${name}/skip`, [convolved, layers.vector(mixer.skip)]);
  const gated = graph.node('Mul', `${name}/gated`, [
    graph.node('AddV2', `${name}/readout`, [y, skipped]),
    gate,
  ]);
  const output = layers.linear(`${name}/out_proj`, gated, {
    weights: mixer.outputProjection,
    bias: mixer.biases?.output,
  });
  return { output, state: outputOf(y, 1), ...(convolves && { past: outputOf(convolved, 1) }) };
}

/**
 * The minimum spanning tree of the tokens by the cosine dissimilarity of their inputs deltaB_u. Such an input is the outer
 * product of a vector [D] and a vector [N], so the cosine of two inputs is the product of two cosines, and the [L, D*N] inputs
 * are never in memory.
 */
function tree(
  { layers: { graph }, window }: Pick<MixerContext, 'layers' | 'window'>,
  name: string,
  drive: Output,
  inputGate: Output,
): Output[] {
  const { edges, tokenEdges } = window as NonNullable<MixerContext['window']>;
  const metric = { metric: text('cosine') };
  const [byDrive, byGate] = Object.entries({ drive, inputGate }).map(([of, features]) =>
    graph.node('EdgeDissimilarity', `${name}/edges/${of}`, [features, tokenEdges], metric),
  );
  // Both factors are negative cosines, so their product has to be negated again.
  const similarity = graph.node('Mul', `${name}/edges/similarity`, [byDrive, byGate]);
  const weights = graph.node('Neg', `${name}/edge_weights`, [similarity]);
  const { order, parent } = fedTree(graph, name, spanningTree(graph, name, weights, edges));
  return [order, parent];
}
