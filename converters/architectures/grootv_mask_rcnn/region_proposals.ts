/** The region proposal network: candidate regions that may contain objects. */
import { float, floats, int, type Output } from '../../graph/graph_builder.js';
import type { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { MaskRCNNGraphSettings } from './settings.js';
import type { MaskRCNNSizes } from './sizes.js';

/** @returns `proposals` [K, 5]: x1, y1, x2, y2 in pixels of the input, and the score, in descending order of the score */
export function proposals(
  layers: ImageLayers,
  head: Parameters,
  pyramid: readonly Output[],
  imageShape: Output,
  { anchors, pyramidChannels }: MaskRCNNSizes,
  { proposals, anchorScale, anchorRatios, proposalDeviations }: MaskRCNNGraphSettings,
): { readonly proposals: Output; readonly namedNodes: readonly string[] } {
  const { graph } = layers;
  const width = head.size('rpn_conv.weight', 0, pyramidChannels);
  const levels = pyramid.map((map, level) => {
    const hidden = layers.convolution(head.at('rpn_conv'), map, {
      inputs: pyramidChannels,
      outputs: width,
      bias: true,
      activation: 'relu',
      node: `rpn_hidden_${level}`,
    });
    const output = (module: string, outputs: number, node: string) =>
      layers.convolution(head.at(module), hidden, { inputs: width, outputs, kernel: 1, bias: true, node });
    return {
      objectness: output('rpn_cls', anchors, `rpn_objectness_${level}`),
      deltas: output('rpn_reg', 4 * anchors, `rpn_deltas_${level}`),
      anchors: graph.node('AnchorGrid', `rpn/anchors_${level}`, [map], {
        stride: int(4 * 2 ** level),
        scale: float(anchorScale),
        ratios: floats(anchorRatios),
      }),
    };
  });

  // Rows ordered by level, row, column, anchor.
  const ofAnchors = levels.map((level) => level.anchors);
  const scores = levels.map(({ objectness }, level) =>
    graph.reshape(`rpn/scores_${level}`, objectness, [-1]),
  );
  const deltas = levels.map(({ deltas }, level) => graph.reshape(`rpn/deltas_${level}`, deltas, [-1, 4]));
  const counts = scores.map((rows, level) => graph.shapeOf(`rpn/count_${level}`, rows));
  const found = graph.node(
    'RegionProposals',
    'proposals',
    [
      graph.concatenation('rpn/anchors', ofAnchors, 0),
      graph.concatenation('rpn/scores', scores, 0),
      graph.concatenation('rpn/deltas', deltas, 0),
      graph.concatenation('rpn/counts', counts, 0, 'int32'),
      imageShape,
    ],
    {
      nms_pre: int(proposals.perLevel),
      max_output: int(proposals.maxOutput),
      iou_threshold: float(proposals.iouThreshold),
      min_size: float(proposals.minSize),
      stds: floats(proposalDeviations),
    },
  );
  const namedNodes = levels.flatMap(({ objectness, deltas }) => [objectness, deltas]);
  return { proposals: found, namedNodes: [...namedNodes, found] };
}
