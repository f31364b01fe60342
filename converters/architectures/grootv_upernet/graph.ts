/**
 * UperNet (T. Xiao et al., "Unified Perceptual Parsing", 2018) on GrootV, as in mmsegmentation. Activations are channels-last.
 */
import type { DenseTrunk } from '../../../plugin/models/dense_metadata.js';
import type { BatchNormHandling } from '../../graph/batch_norm.js';
import { GraphBuilder, type Output, type } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { grootVBackbone, normalizedImage, TORCH_EPSILON } from '../grootv/graph.js';

/** The sizes inferred from names and shapes. */
export interface UperNetSizes extends DenseTrunk {
  /** Channels of the head. */
  readonly headChannels: number;
  /** Number of pooled maps of the last level; shapes do not determine their sides. */
  readonly pools: number;
}

/** The settings that the graph needs. */
export interface UperNetGraphSettings {
  /** For pixel values 0..1. */
  readonly preprocessing: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
  /** Sides of the pooled maps of the last level. */
  readonly poolScales: readonly number[];
  readonly batchNorm?: BatchNormHandling;
}

/** Builds the graph: `logits` at a quarter of the image size, and `segmentation`, the best class of every pixel. */
export function uperNetGraph(
  sizes: UperNetSizes,
  parameters: Parameters,
  { preprocessing, poolScales, batchNorm }: UperNetGraphSettings,
): NetworkGraph {
  const layers = new ImageLayers(new GraphBuilder(), batchNorm);
  const { graph } = layers;
  const image = normalizedImage(graph, preprocessing);
  const { levels, namedNodes } = grootVBackbone(layers, parameters.at('backbone'), image, sizes);
  const head = new UperNetHead(layers, parameters.at('decode_head'), sizes);

  const context = head.poolPyramid(levels[levels.length - 1], poolScales);
  const laterals = head.laterals(levels, context);
  const pyramid = head.pyramid(laterals);
  const fused = head.fused(pyramid);
  const logits = layers.convolution(head.parameters.at('conv_seg'), fused, {
    inputs: sizes.headChannels,
    outputs: sizes.classes,
    kernel: 1,
    bias: true,
    node: 'logits',
  });
  const resized = layers.resize('resized_logits', logits, { method: 'bilinear', size: image });
  const segmentation = graph.node(
    'ArgMax',
    'segmentation',
    [resized, graph.literal('segmentation/axis', 3, 'int32')],
    { T: type('float32'), Tidx: type('int32'), output_type: type('int32') },
  );
  return {
    graph,
    outputs: [
      { name: logits, shape: [-1, -1, -1, sizes.classes] },
      { name: segmentation, shape: [-1, -1, -1], dtype: 'int32' },
    ],
    namedNodes: [
      ...levels,
      ...poolScales.map((_, k) => `ppm_${k}`),
      context,
      ...laterals,
      ...pyramid,
      fused,
      resized,
      ...namedNodes,
    ],
  };
}

class UperNetHead {
  constructor(
    private readonly layers: ImageLayers,
    readonly parameters: Parameters,
    private readonly sizes: UperNetSizes,
  ) {}

  /** The last level, together with its means over grids of 1, 4, 9 and 36 cells: the context of the whole image. */
  poolPyramid(last: Output, scales: readonly number[]): Output {
    const { layers, sizes } = this;
    const inputs = this.channelsOf(sizes.depths.length - 1);
    const pooled = scales.map((scale, k) => {
      const cells = layers.adaptiveAveragePooling(`ppm_${k}/cells`, last, scale);
      const map = this.convBnRelu(`psp_modules.${k}.1`, cells, { inputs, kernel: 1, node: `ppm_${k}` });
      return layers.resize(`ppm_${k}/resized`, map, { method: 'bilinear', size: last });
    });
    const all = layers.concatenation('psp_bottleneck/inputs', [last, ...pooled]);
    return this.convBnRelu('bottleneck', all, {
      inputs: inputs + scales.length * sizes.headChannels,
      kernel: 3,
      node: 'psp_bottleneck',
    });
  }

  /** All levels at the head's width; from the last to the first, each is added to the next finer one. */
  laterals(levels: readonly Output[], context: Output): Output[] {
    const { layers } = this;
    const { graph } = layers;
    const last = levels.length - 1;
    const sums = new Array<Output>(levels.length);
    sums[last] = graph.node('Identity', `lateral_${last}`, [context]);
    for (let level = last - 1; level >= 0; level--) {
      const lateral = this.convBnRelu(`lateral_convs.${level}`, levels[level], {
        inputs: this.channelsOf(level),
        kernel: 1,
      });
      const above = layers.resize(`lateral_${level}/above`, sums[level + 1], {
        method: 'bilinear',
        size: lateral,
      });
      sums[level] = graph.node('AddV2', `lateral_${level}`, [lateral, above]);
    }
    return sums;
  }

  pyramid(laterals: readonly Output[]): Output[] {
    const last = laterals.length - 1;
    return laterals.map((lateral, level) => {
      const node = `fpn_${level}`;
      if (level === last) return this.layers.graph.node('Identity', node, [lateral]);
      return this.convBnRelu(`fpn_convs.${level}`, lateral, {
        inputs: this.sizes.headChannels,
        kernel: 3,
        node,
      });
    });
  }

  /** All levels resized to the finest one, in one map. */
  fused(pyramid: readonly Output[]): Output {
    const { layers, sizes } = this;
    const [finest, ...coarser] = pyramid;
    const resized = coarser.map((map) =>
      layers.resize(`${map}/resized`, map, { method: 'bilinear', size: finest }),
    );
    const all = layers.concatenation('fpn_bottleneck/inputs', [finest, ...resized]);
    return this.convBnRelu('fpn_bottleneck', all, {
      inputs: pyramid.length * sizes.headChannels,
      kernel: 3,
      node: 'fpn_bottleneck',
    });
  }

  private convBnRelu(
    name: string,
    x: Output,
    options: { readonly inputs: number; readonly kernel: number; readonly node?: string },
  ): Output {
    const module = this.parameters.at(name);
    return this.layers.convolution(module.at('conv'), x, {
      ...options,
      outputs: this.sizes.headChannels,
      bias: false,
      batchNorm: { module: module.at('bn'), epsilon: TORCH_EPSILON },
      activation: 'relu',
    });
  }

  private channelsOf(level: number): number {
    return this.sizes.channels * 2 ** level;
  }
}
