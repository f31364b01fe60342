/**
 * GrootL as two GraphModels with shared constants: one processes a whole text, one continues it token by token (GrootVL, section
 * 3.4; A. Gu and T. Dao, "Mamba", 2023, section 3.4). Constants are named after the PyTorch parameters.
 */
import type { GrootLArchitecture } from '../../../plugin/models/grootl_metadata.js';
import { float, GraphBuilder, type GraphEnd, int, type Output, outputOf } from '../../graph/graph_builder.js';
import { TorchLayers } from '../../graph/torch_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { convolutionParameters, mixerParameters, REACH, selectiveMixer, TREE_WEIGHT } from './mixer.js';

/** Validated sizes, and which optional parameters are present. */
export interface GrootLSizes extends Omit<GrootLArchitecture, 'name' | 'scan'> {
  /** Whether the input and output projections of a layer have biases. */
  readonly bias: boolean;
  readonly convolutionBias: boolean;
}

type Scan = GrootLArchitecture['scan'];

/** What the layers of a graph share. */
interface Context {
  readonly layers: TorchLayers;
  readonly parameters: Parameters;
  readonly sizes: GrootLSizes;
  readonly scan: Scan;
  /** The graph over the tokens, for a text that has a tree. */
  readonly window?: { readonly edges: Output; readonly tokenEdges: Output };
  /** Whether a text is continued: the state after it is then an input. */
  readonly decoding: boolean;
}

/**
 * Prefill: takes a whole text as `input_ids` and `prompt_length`; gives the logits of every token and the states after the last.
 */
export function prefillGraph(sizes: GrootLSizes, scan: Scan, parameters: Parameters): NetworkGraph {
  const layers = new TorchLayers(new GraphBuilder());
  const { graph } = layers;
  const tokens = graph.placeholder('input_ids', [-1, -1], 'int32');
  const prompt = graph.placeholder('prompt_length', [], 'int32');
  const inputs: GraphEnd[] = [
    { name: tokens, shape: [-1, -1], dtype: 'int32' },
    { name: prompt, shape: [], dtype: 'int32' },
  ];
  if (scan === 'chain') return build({ layers, parameters, sizes, scan, decoding: false }, tokens, inputs);
  const edges = graph.node('WindowGraph', 'window', [tokens, prompt], { reach: int(REACH) });
  const window = { edges, tokenEdges: outputOf(edges, 1) };
  return build({ layers, parameters, sizes, scan, window, decoding: false }, tokens, inputs);
}

/** Decode: takes the next `input_ids` and the states; gives logits and the next states. */
export function decodeGraph(sizes: GrootLSizes, scan: Scan, parameters: Parameters): NetworkGraph {
  const layers = new TorchLayers(new GraphBuilder());
  const tokens = layers.graph.placeholder('input_ids', [-1, -1], 'int32');
  const states = statesOf('', sizes);
  for (const { name, shape } of states) layers.graph.placeholder(name, shape);
  const inputs: GraphEnd[] = [{ name: tokens, shape: [-1, -1], dtype: 'int32' }, ...states];
  return build({ layers, parameters, sizes, scan, decoding: true }, tokens, inputs);
}

function statesOf(prefix: string, { layers, intermediate, states, taps }: GrootLSizes): GraphEnd[] {
  return Array.from({ length: layers }, (_, layer) => [
    { name: `${prefix}state_${layer}`, shape: [-1, intermediate, states] },
    { name: `${prefix}past_${layer}`, shape: [-1, taps - 1, intermediate] },
  ]).flat();
}

/**
 * Outputs: `logits`, then the states after the last token, `state_<layer>` and `past_<layer>`. Named nodes: `hidden`, and per
 * layer `layers_<i>/edge_weights`, `/order` and `/parent`.
 */
function build(context: Context, tokens: Output, inputs: readonly GraphEnd[]): NetworkGraph {
  const { layers, parameters, sizes, decoding } = context;
  const { graph } = layers;
  const backbone = parameters.at('backbone');
  const shape = [sizes.vocabulary, sizes.hidden];
  const embeddings = backbone.tensor('embeddings.weight', shape);
  const table = layers.transposed(embeddings);
  let x = graph.node('TokenEmbedding', 'embeddings', [tokens, table]);
  for (let layer = 0; layer < sizes.layers; layer++) {
    const module = backbone.at(`layers.${layer}`);
    x = decoding ? continuedLayer(context, layer, module, x) : layerOf(context, layer, module, x);
  }
  const hidden = normalization(layers, backbone.at('norm_f'), 'hidden', x, sizes);
  const head = sizes.tiedHead ? embeddings : parameters.tensor('lm_head.weight', shape);
  const logits = layers.linear('logits', hidden, { weights: head });
  const trees = context.window ? ['edge_weights', 'order', 'parent'] : [];
  return {
    graph,
    inputs,
    outputs: [
      { name: logits, shape: [-1, -1, sizes.vocabulary] },
      ...statesOf(decoding ? 'next_' : '', sizes),
    ],
    namedNodes: [
      hidden,
      ...Array.from({ length: sizes.layers }, (_, i) => trees.map((node) => `layers_${i}/${node}`)).flat(),
    ],
  };
}

function normalization(
  layers: TorchLayers,
  module: Parameters,
  node: string,
  x: Output,
  { hidden, epsilon }: GrootLSizes,
): Output {
  const weights = layers.vector(module.tensor('weight', [hidden]));
  return layers.graph.node('RootMeanSquareNormalization', node, [x, weights], { epsilon: float(epsilon) });
}

/** A layer over a whole text: x + mixer(norm(x)). */
function layerOf(context: Context, layer: number, module: Parameters, x: Output): Output {
  const { layers, sizes } = context;
  const name = `layers_${layer}`;
  const normalized = normalization(layers, module.at('norm'), `${name}/normalized`, x, sizes);
  const { output, state, past } = selectiveMixer(context, name, module.at('mixer'), normalized);
  layers.graph.node('Identity', `state_${layer}`, [state]);
  if (past) layers.graph.node('Identity', `past_${layer}`, [past]);
  return layers.graph.node('AddV2', `${name}/output`, [x, output]);
}

/** A layer while decoding, from its state to the next state, as a single node: a token's time is mostly per-node overhead. */
function continuedLayer(
  { layers, sizes, scan }: Context,
  layer: number,
  module: Parameters,
  x: Output,
): Output {
  const { graph } = layers;
  const mixer = mixerParameters(module.at('mixer'), sizes);
  const inputs = [
    ...[x, `state_${layer}`, `past_${layer}`],
    layers.vector(module.tensor('norm.weight', [sizes.hidden])),
    layers.transposed(mixer.inputProjection),
    ...convolutionParameters(layers, module.at('mixer'), sizes),
    layers.transposed(mixer.selection),
    layers.transposed(mixer.stepProjection),
    layers.vector(mixer.stepBias),
    layers.asStored(mixer.decay),
    layers.vector(mixer.skip),
    layers.transposed(mixer.outputProjection),
    ...(mixer.biases ? [mixer.biases.input, mixer.biases.output].map((bias) => layers.vector(bias)) : []),
  ];
  const y = graph.node('SelectiveLayer', `layers_${layer}/output`, inputs, {
    epsilon: float(sizes.epsilon),
    // After the prompt the tree is a chain attached to the prompt's last token: one state serves both.
    input_scale: float(scan === 'tree' ? 1 + TREE_WEIGHT : 1),
  });
  graph.node('Identity', `next_state_${layer}`, [outputOf(y, 1)]);
  graph.node('Identity', `next_past_${layer}`, [outputOf(y, 2)]);
  return y;
}
