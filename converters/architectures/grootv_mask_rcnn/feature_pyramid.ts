/** The feature pyramid: all levels at the same width, each combined with the coarser ones, and one additional level. */
import type { Output } from '../../graph/graph_builder.js';
import type { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { MaskRCNNSizes } from './sizes.js';

/** @returns `fpn_<l>` [1, H, W, pyramidChannels] at strides 4, 8, 16, 32, 64 */
export function featurePyramid(
  layers: ImageLayers,
  neck: Parameters,
  levels: readonly Output[],
  { channels, pyramidChannels }: MaskRCNNSizes,
): Output[] {
  const { graph } = layers;
  const last = levels.length - 1;
  const sums = new Array<Output>(levels.length);
  for (let level = last; level >= 0; level--) {
    const lateral = layers.convolution(neck.at(`lateral_convs.${level}.conv`), levels[level], {
      inputs: channels * 2 ** level,
      outputs: pyramidChannels,
      kernel: 1,
      bias: true,
    });
    if (level === last) {
      sums[level] = lateral;
      continue;
    }
    const above = layers.resize(`neck/above_${level}`, sums[level + 1], { method: 'nearest', size: lateral });
    sums[level] = graph.node('AddV2', `neck/sum_${level}`, [lateral, above]);
  }
  const pyramid = sums.map((sum, level) =>
    layers.convolution(neck.at(`fpn_convs.${level}.conv`), sum, {
      inputs: pyramidChannels,
      outputs: pyramidChannels,
      bias: true,
      node: `fpn_${level}`,
    }),
  );
  // Every second row and column.
  const coarsest = layers.maxPooling(`fpn_${last + 1}`, pyramid[last], { kernel: 1, stride: 2 });
  return [...pyramid, coarsest];
}
