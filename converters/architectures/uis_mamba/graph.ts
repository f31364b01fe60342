/**
 * UIS-Mamba's backbone (R. Cong et al., "UIS-Mamba: Exploring Mamba for Underwater Instance Segmentation", 2025): GrootV whose
 * blocks sample their map at computed positions ("dynamic tree scan") and weaken the states of pixels that differ from their
 * neighbours ("hidden state weaken"). Activations are channels-last.
 */
import type { UisMambaArchitecture, UisMambaWeakening } from '../../../plugin/models/uis_mamba_metadata.js';
import { bool, GraphBuilder, int, type Output, outputOf, text, type } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import {
  type Features,
  grootVBackbone,
  normalizedImage,
  type ScannedFeatures,
  TORCH_EPSILON,
} from '../grootv/graph.js';
import { normalizationOf } from '../grootv/preprocessing.js';

/** Side of the grid of points sampled for each pixel of the next level, if downsampling is deformable. */
const POINTS = 3;
/** Side of the cells that become a pixel of the next level. */
const PATCH = 2;

const FLOAT = { T: type('float32') };

/** The graph of the backbone alone: from `image` to the features of every level, normalised if the checkpoint does so. */
export function uisMambaGraph(
  sizes: UisMambaArchitecture,
  parameters: Parameters,
  weakening: UisMambaWeakening,
): NetworkGraph {
  const layers = new ImageLayers(new GraphBuilder());
  const image = normalizedImage(layers.graph, normalizationOf(sizes));
  const { levels, namedNodes } = uisMambaBackbone(layers, parameters, image, sizes, weakening);
  const outputs = levels.map((name, level) => ({ name, shape: [-1, -1, -1, sizes.channels * 2 ** level] }));
  return { graph: layers.graph, outputs, namedNodes: [...levels, ...namedNodes] };
}

/** The stem and the levels: see {@link grootVBackbone}. */
export function uisMambaBackbone(
  layers: ImageLayers,
  parameters: Parameters,
  image: Output,
  sizes: UisMambaArchitecture,
  weakening: UisMambaWeakening,
): Features {
  const own: Output[] = [];
  const features = grootVBackbone(layers, parameters, image, sizes, {
    scanned: (ssm, name, map, width) => {
      const { nodes, ...scanned } = deformed(layers, ssm, name, map, width, weakening);
      own.push(...nodes);
      return scanned;
    },
    downsampling: sizes.depatch ? (module, x, width) => depatch(layers, module, x, width) : undefined,
  });
  return { ...features, namedNodes: [...features.namedNodes, ...own] };
}

/**
 * The map of a block, sampled at predicted positions. An offset is predicted for each cell of pixels, and interpolated for the
 * pixels in between.
 * @param map [N, H, W, width]
 */
function deformed(
  layers: ImageLayers,
  ssm: Parameters,
  name: string,
  map: Output,
  width: number,
  { useHsw, hswVarphi, poolSize }: UisMambaWeakening,
): ScannedFeatures & { readonly nodes: readonly Output[] } {
  const { graph } = layers;
  const node = (part: string) => `${name}/deformation/${part}`;
  const cells = { side: int(poolSize) };
  const means = graph.node('CellMeans', node('means'), [map], cells);
  const places = graph.node('CellCoordinates', node('cells'), [map], { ...cells, align_corners: bool(true) });

  const module = ssm.at('deform_module');
  const hidden = module.size('deform_predictor.0.weight', 0, Math.max(Math.floor(width / 4), 64));
  const predictor = module.at('deform_predictor');
  let shift = layers.dense(node('fc1'), means, predictor.at('0'), [hidden, width], 'gelu');
  shift = layers.dense(node('fc2'), shift, predictor.at('2'), [4, hidden]);
  shift = graph.node('Mul', node('weighted'), [shift, layers.vector(module.tensor('weight_coef', [4]))]);
  // As in the authors' code, the other two are predicted but not used.
  shift = graph.node('Tanh', node('tanh'), [channelsOf(layers, node('shift'), shift, 0, 2)]);
  shift = graph.node('Mul', node('scaled'), [shift, outputOf(places, 1)]);
  const coordinates = within(
    layers,
    `${name}/coordinates`,
    graph.node('AddV2', node('moved'), [shift, places]),
  );
  const everywhere = layers.resize(node('coordinates'), coordinates, {
    method: 'bilinear',
    alignCorners: true,
    size: map,
  });
  const sampled = graph.node('GridSample', node('sampled'), [map, everywhere], {
    padding: text('border'),
    align_corners: bool(true),
  });
  const features = graph.node('FlattenGrid', `${name}/deformed`, [sampled]);
  const mask = foreground(layers, ssm.at('pruning_module'), `${name}/mask`, useHsw ? means : undefined, {
    coordinates,
    width,
  });
  const nodes = [coordinates, features, ...(mask === undefined ? [] : [mask])];
  const measure = { features, exponential: true };
  if (mask === undefined) return { ...measure, input: features, nodes };
  const weak = graph.node('Mul', node('weak'), [
    graph.node('Sub', node('background'), [graph.literal(node('one'), 1), mask]),
    graph.literal(node('varphi'), hswVarphi),
  ]);
  const phi = layers.resize(node('phi'), graph.node('AddV2', node('phi_of_cells'), [mask, weak]), {
    method: 'nearest',
    size: map,
  });
  const ofVertices = graph.node('FlattenGrid', node('phi_of_vertices'), [phi]);
  return { ...measure, input: graph.node('Mul', node('weakened'), [features, ofVertices]), nodes };
}

/**
 * Which cells are foreground: [N, P, Q, 1]. Its parameters are stored even if nothing is weakened.
 * @param means of the cells; undefined if nothing is weakened
 */
function foreground(
  layers: ImageLayers,
  module: Parameters,
  node: string,
  means: Output | undefined,
  { coordinates, width }: { readonly coordinates: Output; readonly width: number },
): Output | undefined {
  const channels = module.size('semantic_proj.0.weight', 0, Math.max(Math.floor(width / 2), 128));
  const weights = module.tensor('semantic_proj.0.weight', [channels, width]);
  const bias = module.tensor('semantic_proj.0.bias', [channels]);
  const alpha = module.tensor('alpha', []);
  if (means === undefined) {
    for (const part of ['weight', 'bias']) module.tensor(`semantic_proj.1.${part}`, [channels]);
    return undefined;
  }
  const projected = layers.linear(`${node}/semantic_proj`, means, { weights, bias });
  const semantic = layers.layerNormalization(
    module.at('semantic_proj.1'),
    channels,
    projected,
    TORCH_EPSILON,
  );
  const share = layers.graph.node('Sigmoid', `${node}/share`, [layers.vector(alpha)], FLOAT);
  return layers.graph.node('ForegroundMask', node, [semantic, coordinates, share]);
}

/**
 * Downsampling by two, in which every pixel combines 3 x 3 points of a box that it predicts.
 * @param x [N, H, W, width] -> [N, H/2, W/2, 2 * width]
 */
function depatch(layers: ImageLayers, module: Parameters, x: Output, width: number): Output {
  const { graph } = layers;
  const parameters = module.at('depatch');
  const { prefix } = parameters;
  const node = (part: string) => `${prefix}/${part}`;
  const outputs = 2 * width;
  const embedding = parameters.at('patch_embed');
  let y = layers.convolution(embedding.at('proj'), x, {
    inputs: width,
    outputs,
    kernel: PATCH,
    stride: PATCH,
    padding: 0,
    bias: true,
  });
  y = layers.layerNormalization(embedding.at('norm'), outputs, y, TORCH_EPSILON);
  y = graph.node('Gelu', node('gelu'), [y]);
  const offsets = layers.linear(node('offsets'), y, {
    weights: parameters.tensor('offset_predictor.weight', [4, outputs]),
  });

  // Coordinates -1..1, as GridSample takes; the authors' range is 0..1.
  const cells = graph.node('CellCoordinates', node('cells'), [x], {
    side: int(PATCH),
    align_corners: bool(false),
  });
  const size = outputOf(cells, 1);
  const scaled = (part: string, value: Output) => graph.node('Mul', node(part), [value, size]);
  const shift = graph.node('Tanh', node('tanh'), [channelsOf(layers, node('offset'), offsets, 0, 2)]);
  const centre = graph.node('AddV2', node('centre'), [scaled('shift', shift), cells]);
  const extent = graph.node('AddV2', node('biased'), [
    channelsOf(layers, node('extent'), offsets, 2, 2),
    layers.vector(parameters.tensor('box_coder.wh_bias', [2])),
  ]);
  const positive = layers.relu(node('relu'), graph.node('Tanh', node('extent/tanh'), [extent]));
  const half = scaled('half', positive);
  const low = within(layers, node('low'), graph.node('Sub', node('first'), [centre, half]));
  const high = within(layers, node('high'), graph.node('AddV2', node('last'), [centre, half]));
  const across = graph.node('Sub', node('across'), [high, low]);
  const samples = Array.from({ length: POINTS * POINTS }, (_, i) => {
    const share = [Math.floor(i / POINTS), i % POINTS].map((at) => at / (POINTS - 1));
    const part = graph.node('Mul', node(`part_${i}`), [across, graph.literal(node(`share_${i}`), share)]);
    const at = graph.node('AddV2', node(`point_${i}`), [low, part]);
    return graph.node('GridSample', node(`sample_${i}`), [x, at], {
      padding: text('zeros'),
      align_corners: bool(false),
    });
  });
  const points = layers.concatenation(node('points'), samples);
  const all = POINTS * POINTS * width;
  y = layers.dense(node('output_proj'), points, parameters.at('output_proj'), [outputs, all]);
  return layers.layerNormalization(parameters.at('norm'), outputs, y, TORCH_EPSILON);
}

/** Some of the channels of a map. */
function channelsOf(layers: ImageLayers, node: string, x: Output, first: number, count: number): Output {
  return layers.graph.slice(node, x, [0, 0, 0, first], [-1, -1, -1, count]);
}

/** Coordinates clipped to -1..1. */
function within(layers: ImageLayers, node: string, x: Output): Output {
  const { graph } = layers;
  const least = graph.node('Maximum', `${node}/least`, [x, graph.literal(`${node}/first`, -1)], FLOAT);
  return graph.node('Minimum', node, [least, graph.literal(`${node}/last`, 1)], FLOAT);
}
