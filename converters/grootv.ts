/**
 * GrootV as a GraphModel (GrootVL, section 3.3): a stem, levels of blocks at falling resolution, a head. Activations are
 * channels-last. Constants carry the names of the PyTorch parameters that they hold.
 */
import type { GrootVArchitecture } from '../plugin/models/grootv_metadata.js';
import { bool, float, GraphBuilder, int, type Output, outputOf, text, type } from './graph/graph_builder.js';
import { type Parameter, TorchLayers } from './graph/torch_layers.js';
import { blockPrefix } from './grootv_architecture.js';
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from './preprocessing.js';

/** torch.nn.LayerNorm of the two normalisations around the state-space model, and torch.nn.BatchNorm2d. */
const TORCH_EPSILON = 1e-5;
/** Every other LayerNorm of the network. */
const LAYER_EPSILON = 1e-6;

/** A graph and the nodes of it that are worth asking for. */
export interface GrootVGraph {
  readonly graph: GraphBuilder;
  /** Default outputs: `logits`, or without a head `pooled`, or without both every level's features. */
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** `pooled`, `features_<level>`, `blocks_<i>/...`. */
  readonly namedNodes: readonly string[];
}

/** Builds the graph. No weight is read before the graph is written. */
export function grootVGraph(
  architecture: GrootVArchitecture,
  state: ReadonlyMap<string, Parameter>,
): GrootVGraph {
  const { channels, depths } = architecture;
  const layers = new TorchLayers(new GraphBuilder(), state);
  const { graph } = layers;

  const image = graph.placeholder('image', [-1, -1, -1, 3]);
  const centred = graph.node('Sub', 'normalization/centred', [
    image,
    graph.literal(
      'normalization/mean',
      IMAGENET_MEAN.map((mean) => 255 * mean),
    ),
  ]);
  const deviation = graph.literal(
    'normalization/deviation',
    IMAGENET_DEVIATION.map((deviation) => 255 * deviation),
  );
  let x = graph.node('RealDiv', 'normalized', [centred, deviation]);

  x = layers.convolution('patch_embed.conv1', x, { stride: 2, bias: true });
  x = layers.layerNormalization('patch_embed.norm1.1', x, LAYER_EPSILON);
  x = graph.node('Gelu', 'patch_embed/gelu', [x]);
  x = layers.convolution('patch_embed.conv2', x, { stride: 2, bias: true });
  x = layers.layerNormalization('patch_embed.norm2.1', x, LAYER_EPSILON);

  const features: Output[] = [];
  let index = 0;
  depths.forEach((depth, level) => {
    // One grid for all blocks of a level, so that backends prepare and upload it once.
    const edges = graph.node('GridGraph', `levels_${level}/edges`, [x]);
    for (let block = 0; block < depth; block++) {
      const prefix = blockPrefix(level, block);
      x = grootVBlock(layers, prefix, `blocks_${index++}`, x, edges, architecture.layerScale);
    }
    x = layers.layerNormalization(`levels.${level}.norm.0`, x, LAYER_EPSILON, `features_${level}`);
    features.push(x);
    if (level + 1 < depths.length) {
      x = layers.convolution(`levels.${level}.downsample.conv`, x, { stride: 2, bias: false });
      x = layers.layerNormalization(`levels.${level}.downsample.norm.1`, x, LAYER_EPSILON);
    }
  });

  const namedNodes = [
    ...features,
    ...Array.from({ length: index }, (_, i) =>
      ['edge_weights', 'order', 'parent', 'decay'].map((node) => `blocks_${i}/${node}`),
    ).flat(),
  ];
  if (!architecture.convolutionHead && architecture.classes === 0) {
    const outputs = features.map((name, level) => ({ name, shape: [-1, -1, -1, channels * 2 ** level] }));
    return { graph, outputs, namedNodes };
  }

  let width = channels * 2 ** (depths.length - 1);
  if (architecture.convolutionHead) {
    width = state.get('conv_head.0.weight')?.shape[0] as number;
    x = layers.linear('conv_head.0', x, { weights: 'conv_head.0.weight' });
    x = layers.batchNormalization('conv_head.1.0', x, TORCH_EPSILON);
    x = graph.node('Gelu', 'conv_head/gelu', [x]);
  }
  const pooled = graph.node('Mean', 'pooled', [x, graph.literal('pooled/axes', [1, 2], 'int32')], {
    keep_dims: bool(false),
    T: type('float32'),
    Tidx: type('int32'),
  });
  namedNodes.push(pooled);
  if (architecture.classes === 0)
    return { graph, outputs: [{ name: pooled, shape: [-1, width] }], namedNodes };
  const logits = layers.linear('logits', pooled, { weights: 'head.weight', bias: 'head.bias' });
  return { graph, outputs: [{ name: logits, shape: [-1, architecture.classes] }], namedNodes };
}

/** x + gamma1 * TreeSSM(norm1(x)), then x + gamma2 * MLP(norm2(x)). */
function grootVBlock(
  layers: TorchLayers,
  prefix: string,
  name: string,
  input: Output,
  edges: Output,
  layerScale: boolean,
): Output {
  const { graph } = layers;
  const residual = (x: Output, branch: Output, gamma: string, sum: string) => {
    const scaled = layerScale
      ? graph.node('Mul', `${sum}/scaled`, [branch, layers.vector(`${prefix}.${gamma}`)])
      : branch;
    return graph.node('AddV2', sum, [x, scaled]);
  };
  let x = input;
  const mixed = treeStateSpaceModel(
    layers,
    prefix,
    name,
    layers.layerNormalization(`${prefix}.norm1.0`, x, LAYER_EPSILON),
    edges,
  );
  x = residual(x, mixed, 'gamma1', `${name}/mixed`);
  const mlp = `${prefix}.mlp`;
  let hidden = layers.layerNormalization(`${prefix}.norm2.0`, x, LAYER_EPSILON);
  hidden = layers.linear(`${name}/fc1`, hidden, {
    weights: `${mlp}.fc1.weight`,
    bias: `${mlp}.fc1.bias`,
    activation: 'gelu',
  });
  hidden = layers.linear(`${name}/fc2`, hidden, { weights: `${mlp}.fc2.weight`, bias: `${mlp}.fc2.bias` });
  return residual(x, hidden, 'gamma2', `${name}/output`);
}

/**
 * The tree state-space model of a block (GrootVL, section 3.2): features choose a tree, and travel along it.
 * @param edges the graph over the pixels of the input
 */
export function treeStateSpaceModel(
  layers: TorchLayers,
  prefix: string,
  name: string,
  input: Output,
  edges: Output,
): Output {
  const { graph } = layers;
  const ssm = `${prefix}.TreeSSM`;

  const projected = layers.linear(`${name}/in_proj`, input, {
    weights: `${ssm}.in_proj.weight`,
    part: [0, 1 / 2],
  });
  const gate = layers.linear(`${name}/gate`, input, {
    weights: `${ssm}.in_proj.weight`,
    part: [1 / 2, 1],
    activation: 'silu',
  });
  const mixed = layers.depthwiseConvolution(`${ssm}.conv2d`, projected);
  const activated = graph.node('Silu', `${name}/activated`, [mixed]);
  const x = graph.node('FlattenGrid', `${name}/x`, [activated]);

  const weights = graph.node('EdgeDissimilarity', `${name}/edge_weights`, [x, edges], {
    metric: text('cosine'),
  });
  const tree = graph.node('BoruvkaMST', `${name}/tree`, [weights, edges], { root: int(0) });
  // Nodes of one output each, so that a tree can be fed.
  const order = graph.node('Identity', `${name}/order`, [outputOf(tree, 1)]);
  const parent = graph.node('Identity', `${name}/parent`, [outputOf(tree, 2)]);

  const selected = layers.linear(`${name}/x_proj`, x, { weights: `${ssm}.x_proj_weight` });
  const parts = graph.node('SelectiveSplit', `${name}/parts`, [selected], { states: int(1) });
  const rawStep = layers.linear(`${name}/dt_proj`, outputOf(parts, 0), { weights: `${ssm}.dt_projs_weight` });
  const discretized = graph.node('Discretize', `${name}/discretized`, [
    rawStep,
    layers.vector(`${ssm}.dt_projs_bias`),
    layers.asStored(`${ssm}.A_logs`),
    outputOf(parts, 1),
    x,
  ]);
  const decay = graph.node('Identity', `${name}/decay`, [outputOf(discretized, 0)]);
  const scanned = graph.node('TreeScan', `${name}/scan`, [outputOf(discretized, 1), decay, order, parent], {
    aggregate: text('all'),
  });

  const norm = (name: string) => [
    layers.vector(`${ssm}.${name}.weight`),
    layers.vector(`${ssm}.${name}.bias`),
  ];
  const readout = graph.node(
    'StateReadout',
    `${name}/readout`,
    [
      scanned,
      outputOf(parts, 2),
      x,
      layers.vector(`${ssm}.Ds`),
      graph.node('FlattenGrid', `${name}/gate/vertices`, [gate]),
      ...norm('h_norm'),
      ...norm('out_norm'),
    ],
    { epsilon: float(TORCH_EPSILON) },
  );
  const gated = graph.node('UnflattenGrid', `${name}/gated`, [readout, gate]);
  return layers.linear(`${name}/out_proj`, gated, { weights: `${ssm}.out_proj.weight` });
}
