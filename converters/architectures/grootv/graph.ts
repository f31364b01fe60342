/**
 * GrootV as a GraphModel (GrootVL, section 3.3): a stem, levels of blocks at decreasing resolution, a head. Activations are
 * channels-last. Constants are named after the PyTorch parameters that they hold.
 */
import type { OutputNormalization } from '../../../plugin/models/dense_metadata.js';
import {
  type GrootVArchitecture,
  type GrootVTrunk,
  inputChannelsOf,
} from '../../../plugin/models/grootv_metadata.js';
import { float, GraphBuilder, type GraphEnd, int, type Output, outputOf } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { normalizationOf } from './preprocessing.js';
import { LevelScan } from './scans.js';

/** Epsilon of the two torch.nn.LayerNorm around the state-space model, and of torch.nn.BatchNorm2d. */
export const TORCH_EPSILON = 1e-5;
/** Epsilon of all other LayerNorm of the network. */
export const LAYER_EPSILON = 1e-6;

/** The sizes of a trunk, and the LayerNorm that dense prediction may add to the outputs of its levels. */
export interface BackboneSizes extends GrootVTrunk {
  readonly outputNormalization?: OutputNormalization | null;
}

/** The feature maps of a backbone. */
export interface Features {
  /**
   * One per level, after its LayerNorm and before downsampling, and after its output normalisation if it has one: [N, H, W,
   * channels], channels-last. Nodes `features_<level>`.
   */
  readonly levels: readonly Output[];
  /** Channels of the last level. */
  readonly channels: number;
  /** `blocks_<i>/...`: trees, their edge weights and decays. */
  readonly namedNodes: readonly string[];
}

/** Inputs of the scan of a block. */
export interface ScannedFeatures {
  /** [N, V, D], from which the tree is built. */
  readonly features: Output;
  /**
   * Whether the tree is built from exp(dissimilarity). In float32, all dissimilarities above 88.7 tie, as exp overflows, and all
   * below 6e-8, where it rounds to 1.
   */
  readonly exponential?: boolean;
  /** [N, V, D], the contribution of each vertex before discretisation. */
  readonly input: Output;
}

/** Parts in which a network on this trunk differs from GrootV. */
export interface TrunkParts {
  /** From a block's map after convolution and SiLU, [N, H, W, width]; the map itself by default. */
  readonly scanned?: (ssm: Parameters, name: string, map: Output, width: number) => ScannedFeatures;
  /** From one level to the next, [N, H, W, width] -> [N, H/2, W/2, 2 * width]; a convolution by default. */
  readonly downsampling?: (module: Parameters, x: Output, width: number) => Output;
}

/**
 * Builds the graph. The output is `logits`, or `pooled` if there is no class head, or the features of every level if there is
 * neither. No weight is read until the graph is written.
 */
export function grootVGraph(architecture: GrootVArchitecture, parameters: Parameters): NetworkGraph {
  const layers = new ImageLayers(new GraphBuilder());
  const { graph } = layers;
  const image = normalizedImage(graph, normalizationOf(architecture));
  const inputs = [{ name: 'image', shape: [-1, -1, -1, inputChannelsOf(architecture)] }];
  const features = grootVBackbone(layers, parameters, image, architecture);
  const namedNodes = [...features.levels, ...features.namedNodes];
  if (!architecture.convolutionHead && architecture.classes === 0) {
    const outputs = features.levels.map((name, level) => ({
      name,
      shape: [-1, -1, -1, architecture.channels * 2 ** level],
    }));
    return { graph, inputs, outputs, namedNodes };
  }
  const { pooled, output } = grootVHead(layers, parameters, features, architecture);
  return { graph, inputs, outputs: [output], namedNodes: [...namedNodes, pooled] };
}

/**
 * Adds the input `image`, values 0..255 (RGB if it has three channels), and the node `normalized`: the mean and deviation, given
 * for values 0..1, are applied.
 */
export function normalizedImage(
  graph: GraphBuilder,
  { mean, deviation }: { readonly mean: readonly number[]; readonly deviation: readonly number[] },
): Output {
  const ofBytes = (name: string, values: readonly number[]) =>
    graph.literal(
      `normalization/${name}`,
      values.map((value) => 255 * value),
    );
  const image = graph.placeholder('image', [-1, -1, -1, mean.length]);
  const centred = graph.node('Sub', 'normalization/centred', [image, ofBytes('mean', mean)]);
  return graph.node('RealDiv', 'normalized', [centred, ofBytes('deviation', deviation)]);
}

/**
 * The stem and the levels.
 * @param parameters of the backbone, such as those under `backbone`
 * @param image normalised, [N, H, W, C]
 */
export function grootVBackbone(
  layers: ImageLayers,
  parameters: Parameters,
  image: Output,
  sizes: BackboneSizes,
  parts: TrunkParts = {},
): Features {
  const { graph } = layers;
  const { channels, depths, mlpRatio, layerScale, outputNormalization, stemStride: stride = 2 } = sizes;
  const embedding = parameters.at('patch_embed');
  const stem = embedding.size('conv1.weight', 0, Math.floor(channels / 2));
  let x = layers.convolution(embedding.at('conv1'), image, {
    inputs: inputChannelsOf(sizes),
    outputs: stem,
    stride,
    bias: true,
  });
  x = layers.layerNormalization(embedding.at('norm1.1'), stem, x, LAYER_EPSILON);
  x = graph.node('Gelu', 'patch_embed/gelu', [x]);
  x = layers.convolution(embedding.at('conv2'), x, {
    inputs: stem,
    outputs: channels,
    stride,
    bias: true,
  });
  x = layers.layerNormalization(embedding.at('norm2.1'), channels, x, LAYER_EPSILON);

  const levels: Output[] = [];
  const namedNodes: Output[] = [];
  let index = 0;
  let width = channels;
  depths.forEach((depth, number) => {
    const level = parameters.at(`levels.${number}`);
    const scan = new LevelScan(graph, number, x, sizes);
    for (let block = 0; block < depth; block++) {
      const widths = { width, hidden: Math.floor(width * mlpRatio), layerScale };
      x = grootVBlock(layers, level.at(`blocks.${block}`), `blocks_${index++}`, x, scan, widths, parts);
    }
    namedNodes.push(...scan.namedNodes);
    const features = `features_${number}`;
    if (outputNormalization?.levels.includes(number)) {
      const { epsilon } = outputNormalization;
      const norm = parameters.at(`outnorm${number}${epsilon === LAYER_EPSILON ? '.0' : ''}`);
      x = layers.layerNormalization(level.at('norm.0'), width, x, LAYER_EPSILON);
      levels.push(layers.layerNormalization(norm, width, x, epsilon, features));
    } else {
      x = layers.layerNormalization(level.at('norm.0'), width, x, LAYER_EPSILON, features);
      levels.push(x);
    }
    if (number + 1 < depths.length) {
      const downsample = level.at('downsample');
      x = parts.downsampling?.(downsample, x, width) ?? convolved(layers, downsample, x, width);
      width *= 2;
    }
  });
  return { levels, channels: width, namedNodes };
}

/** From one level to the next: [N, H, W, width] -> [N, H/2, W/2, 2 * width], rounded up. */
function convolved(layers: ImageLayers, module: Parameters, x: Output, width: number): Output {
  const sizes = { inputs: width, outputs: 2 * width, stride: 2, bias: false };
  const y = layers.convolution(module.at('conv'), x, sizes);
  return layers.layerNormalization(module.at('norm.1'), sizes.outputs, y, LAYER_EPSILON);
}

/** An optional convolution, the mean over the map, and the classifier. */
function grootVHead(
  layers: ImageLayers,
  parameters: Parameters,
  features: Features,
  { convolutionHead, classes }: GrootVArchitecture,
): { pooled: Output; output: GraphEnd } {
  const { graph } = layers;
  let x = features.levels[features.levels.length - 1];
  let width = features.channels;
  if (convolutionHead) {
    const head = parameters.at('conv_head');
    const wide = head.size('0.weight', 0, Math.floor(1.5 * width));
    x = layers.linear('conv_head.0', x, { weights: head.tensor('0.weight', [wide, width, 1, 1]) });
    x = layers.batchNormalization(head.at('1.0'), wide, x, TORCH_EPSILON);
    x = graph.node('Gelu', 'conv_head/gelu', [x]);
    width = wide;
  }
  const pooled = graph.mean('pooled', x, [1, 2]);
  if (classes === 0) return { pooled, output: { name: pooled, shape: [-1, width] } };
  const logits = layers.dense('logits', pooled, parameters.at('head'), [classes, width]);
  return { pooled, output: { name: logits, shape: [-1, classes] } };
}

/** Sizes of a block: input and output channels, channels of the MLP, and whether gamma1 and gamma2 scale its branches. */
interface BlockSizes {
  readonly width: number;
  readonly hidden: number;
  readonly layerScale: boolean;
}

/** x + gamma1 * TreeSSM(norm1(x)), then x + gamma2 * MLP(norm2(x)). */
function grootVBlock(
  layers: ImageLayers,
  block: Parameters,
  name: string,
  input: Output,
  scan: LevelScan,
  { width, hidden, layerScale }: BlockSizes,
  parts: TrunkParts,
): Output {
  const { graph } = layers;
  const residual = (x: Output, branch: Output, gamma: string, sum: string) => {
    const scaled = layerScale
      ? graph.node('Mul', `${sum}/scaled`, [branch, layers.vector(block.tensor(gamma, [width]))])
      : branch;
    return graph.node('AddV2', sum, [x, scaled]);
  };
  let x = input;
  const normed = layers.layerNormalization(block.at('norm1.0'), width, x, LAYER_EPSILON);
  const mixed = treeStateSpaceModel(layers, block.at('TreeSSM'), name, width, normed, scan, parts);
  x = residual(x, mixed, 'gamma1', `${name}/mixed`);
  const mlp = block.at('mlp');
  let y = layers.layerNormalization(block.at('norm2.0'), width, x, LAYER_EPSILON);
  y = layers.dense(`${name}/fc1`, y, mlp.at('fc1'), [hidden, width], 'gelu');
  y = layers.dense(`${name}/fc2`, y, mlp.at('fc2'), [width, hidden]);
  return residual(x, y, 'gamma2', `${name}/output`);
}

/**
 * The tree state-space model of a block (GrootVL, section 3.2): builds a tree from features and scans along it.
 * @param width channels of the input
 * @param scan of the level that the input belongs to
 */
export function treeStateSpaceModel(
  layers: ImageLayers,
  ssm: Parameters,
  name: string,
  width: number,
  input: Output,
  scan: LevelScan,
  parts: TrunkParts = {},
): Output {
  const { graph } = layers;
  const inner = ssm.size('A_logs', 0, 2 * width);
  const rank = ssm.size('dt_projs_weight', 2, Math.ceil(width / 16));
  const inputWeights = ssm.tensor('in_proj.weight', [2 * inner, width]);

  const projected = layers.linear(`${name}/in_proj`, input, {
    weights: inputWeights,
    part: [0, 1 / 2],
  });
  const gate = layers.linear(`${name}/gate`, input, {
    weights: inputWeights,
    part: [1 / 2, 1],
    activation: 'silu',
  });
  const mixed = layers.depthwiseConvolution(ssm.at('conv2d'), inner, projected);
  const activated = graph.node('Silu', `${name}/activated`, [mixed]);
  const x = graph.node('FlattenGrid', `${name}/x`, [activated]);

  const {
    features,
    exponential,
    input: scanned,
  } = parts.scanned?.(ssm, name, activated, inner) ?? {
    features: x,
    input: x,
  };
  const trees = scan.trees(name, features, exponential);
  const selected = layers.linear(`${name}/x_proj`, x, {
    weights: ssm.tensor('x_proj_weight', [1, rank + 2, inner]),
  });
  const selection = graph.node('SelectiveSplit', `${name}/parts`, [selected], { states: int(1) });
  const dt = layers.linear(`${name}/dt_proj`, outputOf(selection, 0), {
    weights: ssm.tensor('dt_projs_weight', [1, inner, rank]),
  });
  const discretized = graph.node('Discretize', `${name}/discretized`, [
    dt,
    layers.vector(ssm.tensor('dt_projs_bias', [1, inner])),
    layers.asStored(ssm.tensor('A_logs', [inner, 1])),
    outputOf(selection, 1),
    scanned,
  ]);
  const decay = graph.node('Identity', `${name}/decay`, [outputOf(discretized, 0)]);
  const states = scan.states(name, trees, outputOf(discretized, 1), decay);

  const norm = (name: string) => [
    layers.vector(ssm.tensor(`${name}.weight`, [inner])),
    layers.vector(ssm.tensor(`${name}.bias`, [inner])),
  ];
  const readout = graph.node(
    'StateReadout',
    `${name}/readout`,
    [
      states,
      outputOf(selection, 2),
      x,
      layers.vector(ssm.tensor('Ds', [inner])),
      graph.node('FlattenGrid', `${name}/gate/vertices`, [gate]),
      ...norm('h_norm'),
      ...norm('out_norm'),
    ],
    { epsilon: float(TORCH_EPSILON) },
  );
  const gated = graph.node('UnflattenGrid', `${name}/gated`, [readout, gate]);
  return layers.linear(`${name}/out_proj`, gated, {
    weights: ssm.tensor('out_proj.weight', [width, inner]),
  });
}
