/**
 * The eye tracker of GG-SSM as a GraphModel: the trunk with a stem of stride 1 over every frame, the mean over its last map,
 * one mixer over the frames, a position a frame.
 */
import { type GrootVTrunk, inputChannelsOf } from '../../../plugin/models/grootv_metadata.js';
import { bool, GraphBuilder, int, type Output, type } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { mixerSizes, selectiveMixer, wholeWindow } from '../grootl/mixer.js';
import { grootVBackbone } from '../grootv/graph.js';

export interface EyeTrackerSizes extends GrootVTrunk {
  /** None: it gives positions. */
  readonly classes: number;
  /** Numbers of a position. */
  readonly coordinates: number;
}

/** `frames` [N, T, H, W, C], values as the network takes them, to `coords` [N, T, coordinates]. */
export function eyeTrackerGraph(sizes: EyeTrackerSizes, parameters: Parameters): NetworkGraph {
  const layers = new ImageLayers(new GraphBuilder());
  const { graph } = layers;
  const { channels, depths, coordinates } = sizes;
  const inputs = [{ name: 'frames', shape: [-1, -1, -1, -1, inputChannelsOf(sizes)] }];
  const frames = graph.placeholder(inputs[0].name, inputs[0].shape);
  const shape = graph.node('Shape', 'frames/shape', [frames], {
    T: type('float32'),
    out_type: type('int32'),
  });
  const literal = (name: string, values: number | readonly number[]) => graph.literal(name, values, 'int32');
  const axis = literal('frames/axis', 0);
  const part = (name: string, first: number, count: number) =>
    graph.node('Slice', name, [shape, literal(`${name}/first`, [first]), literal(`${name}/count`, [count])], {
      T: type('int32'),
      Index: type('int32'),
    });
  const reshaped = (name: string, x: Output, ...sides: readonly Output[]) => {
    const size = graph.node('ConcatV2', `${name}/size`, [...sides, axis], {
      ...{ T: type('int32'), N: int(sides.length), Tidx: type('int32') },
    });
    return graph.node('Reshape', name, [x, size], { T: type('float32'), Tshape: type('int32') });
  };
  const image = reshaped('images', frames, literal('images/batch', [-1]), part('frames/pixels', 2, 3));
  const features = grootVBackbone(layers, parameters.at('spatial_backbone'), image, sizes);
  const map = features.levels[depths.length - 1];
  const pooled = graph.node('Mean', 'pooled', [map, literal('pooled/axes', [1, 2])], {
    ...{ keep_dims: bool(false), T: type('float32'), Tidx: type('int32') },
  });
  const width = channels * 2 ** (depths.length - 1);
  const sequence = reshaped(
    'sequence_in',
    pooled,
    part('frames/sequence', 0, 2),
    literal('sequence_in/width', [width]),
  );
  const mixer = parameters.at('temporal_ssm');
  const context = {
    layers,
    sizes: mixerSizes(mixer, width),
    window: wholeWindow(layers, 'window', sequence),
  };
  const { output } = selectiveMixer(context, 'temporal', mixer, sequence);
  const mixed = graph.node('Identity', 'temporal_out', [output]);
  const head = parameters.at('fc_out');
  const coords = layers.linear('coords', mixed, {
    weights: head.tensor('weight', [coordinates, width]),
    bias: head.tensor('bias', [coordinates]),
  });
  const trees = ['edge_weights', 'order', 'parent'].map((node) => `temporal/${node}`);
  return {
    graph,
    inputs,
    outputs: [{ name: coords, shape: [-1, -1, coordinates] }],
    namedNodes: [...features.levels, ...features.namedNodes, sequence, mixed, ...trees],
  };
}
