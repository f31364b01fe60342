/**
 * The forecasting model of GG-SSM as a GraphModel: the patches of all variables, one variable after the other, form one sequence
 * for blocks of mixers; a linear head reads all patches of a variable.
 */
import { GraphBuilder, type Output, type } from '../../graph/graph_builder.js';
import { TorchLayers } from '../../graph/torch_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { mixerSizes, selectiveMixer, wholeWindow } from '../grootl/mixer.js';

/** Epsilon of torch.nn.LayerNorm, also added to the variance of a window. */
const EPSILON = 1e-5;

export interface ForecasterSizes {
  readonly name: string;
  /** Channels per patch. */
  readonly channels: number;
  /** Number of blocks. */
  readonly depths: readonly [number];
  /** Always 0: the output is values, not class scores. */
  readonly classes: number;
  /** Time steps per patch. */
  readonly patchLength: number;
  /** Patches per variable. */
  readonly patches: number;
  /** Time steps that are predicted. */
  readonly forecastLength: number;
}

const FLOAT = { T: type('float32') };

/** From `series` [N, patches * patchLength, variables] to `forecast` [N, forecastLength, variables]. */
export function forecasterGraph(sizes: ForecasterSizes, parameters: Parameters): NetworkGraph {
  const layers = new TorchLayers(new GraphBuilder());
  const { graph } = layers;
  const { channels, depths, patchLength, patches, forecastLength } = sizes;
  const inputs = [{ name: 'series', shape: [-1, patches * patchLength, -1] }];
  const series = graph.placeholder(inputs[0].name, inputs[0].shape);

  const mean = graph.mean('mean', series, [1], true);
  const centred = graph.node('Sub', 'centred', [series, mean], FLOAT);
  const variance = graph.mean('variance', graph.node('Square', 'squares', [centred], FLOAT), [1], true);
  const epsilon = graph.literal('epsilon', EPSILON);
  const floored = graph.node('AddV2', 'variance/floored', [variance, epsilon], FLOAT);
  const deviation = graph.node('Sqrt', 'deviation', [floored], FLOAT);
  const normalized = graph.node('RealDiv', 'normalized', [centred, deviation], FLOAT);

  const transposed = (name: string, x: Output) => graph.transpose(name, x, [0, 2, 1]);
  const batch = graph.slice('series/batch', graph.shapeOf('series/shape', series), [0], [1], 'int32');
  /** [N, rows, width] */
  const rows = (name: string, x: Output, width: number) => {
    const parts = [batch, graph.literal(`${name}/row`, [-1, width], 'int32')];
    return graph.reshape(name, x, graph.concatenation(`${name}/size`, parts, 0, 'int32'));
  };
  const patched = rows('patches', transposed('variables', normalized), patchLength);
  const embedding = parameters.tensor('value_embedding.1.weight', [channels, patchLength]);
  const embedded = layers.linear('embedded', patched, { weights: embedding });

  const encoder = parameters.at('encoder');
  const window = wholeWindow(layers, 'window', embedded);
  let sum: Output = embedded;
  for (let layer = 0; layer < depths[0]; layer++) {
    const module = encoder.at(`layers.${layer}`);
    const name = `layers_${layer}`;
    const x = layers.layerNormalization(module.at('norm'), channels, sum, EPSILON, `${name}/normalized`);
    const mixer = module.at('mixer');
    const context = { layers, sizes: { ...mixerSizes(mixer, channels), convolves: false }, window };
    const { output } = selectiveMixer(context, name, mixer, x);
    sum = graph.node('AddV2', `${name}/output`, [sum, output], FLOAT);
  }
  const hidden = layers.layerNormalization(encoder.at('norm_f'), channels, sum, EPSILON, 'hidden');
  const width = patches * channels;
  const flattened = rows('flattened', hidden, width);
  const scaled = layers.dense('head', flattened, parameters.at('head.linear'), [forecastLength, width]);
  const restored = graph.node('Mul', 'restored', [transposed('steps', scaled), deviation], FLOAT);
  const forecast = graph.node('AddV2', 'forecast', [restored, mean], FLOAT);
  return {
    graph,
    inputs,
    outputs: [{ name: forecast, shape: [-1, forecastLength, -1] }],
    namedNodes: [
      hidden,
      ...Array.from({ length: depths[0] }, (_, i) =>
        ['edge_weights', 'order', 'parent'].map((node) => `layers_${i}/${node}`),
      ).flat(),
    ],
  };
}
