/**
 * The eye tracker of GG-SSM as a GraphModel: the trunk with a stem of stride 1 on every frame, the mean over its last feature
 * map, one mixer over the frames, and one position per frame.
 */
import { type GrootVTrunk, inputChannelsOf } from '../../../plugin/models/grootv_metadata.js';
import { GraphBuilder, type Output } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { mixerSizes, selectiveMixer, wholeWindow } from '../grootl/mixer.js';
import { grootVBackbone } from '../grootv/graph.js';

export interface EyeTrackerSizes extends GrootVTrunk {
  /** Always 0: the output is positions, not class scores. */
  readonly classes: number;
  /** Coordinates per position. */
  readonly coordinates: number;
}

/** From `frames` [N, T, H, W, C], whose values are used unchanged, to `coords` [N, T, coordinates]. */
export function eyeTrackerGraph(sizes: EyeTrackerSizes, parameters: Parameters): NetworkGraph {
  const layers = new ImageLayers(new GraphBuilder());
  const { graph } = layers;
  const { channels, depths, coordinates } = sizes;
  const inputs = [{ name: 'frames', shape: [-1, -1, -1, -1, inputChannelsOf(sizes)] }];
  const frames = graph.placeholder(inputs[0].name, inputs[0].shape);
  const shape = graph.shapeOf('frames/shape', frames);
  const part = (name: string, first: number, count: number) =>
    graph.slice(name, shape, [first], [count], 'int32');
  const reshaped = (name: string, x: Output, ...sides: readonly Output[]) =>
    graph.reshape(name, x, graph.concatenation(`${name}/size`, sides, 0, 'int32'));
  const batch = graph.literal('images/batch', [-1], 'int32');
  const image = reshaped('images', frames, batch, part('frames/pixels', 2, 3));
  const trunk = grootVBackbone(layers, parameters.at('spatial_backbone'), image, sizes);
  const map = trunk.levels[depths.length - 1];
  const pooled = graph.mean('pooled', map, [1, 2]);
  const width = channels * 2 ** (depths.length - 1);
  const sides = [part('frames/sequence', 0, 2), graph.literal('sequence_in/width', [width], 'int32')];
  const sequence = reshaped('sequence_in', pooled, ...sides);
  const mixer = parameters.at('temporal_ssm');
  const context = {
    layers,
    sizes: mixerSizes(mixer, width),
    window: wholeWindow(layers, 'window', sequence),
  };
  const { output } = selectiveMixer(context, 'temporal', mixer, sequence);
  const mixed = graph.node('Identity', 'temporal_out', [output]);
  const coords = layers.dense('coords', mixed, parameters.at('fc_out'), [coordinates, width]);
  const trees = ['edge_weights', 'order', 'parent'].map((node) => `temporal/${node}`);
  return {
    graph,
    inputs,
    outputs: [{ name: coords, shape: [-1, -1, coordinates] }],
    namedNodes: [...trunk.levels, ...trunk.namedNodes, sequence, mixed, ...trees],
  };
}
