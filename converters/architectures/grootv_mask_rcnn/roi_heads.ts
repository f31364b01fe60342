/** The heads over proposals: class and box of each, and the mask of each detection. */
import { bool, float, floats, int, type Output, outputOf, type } from '../../graph/graph_builder.js';
import type { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { MaskRCNNGraphSettings } from './settings.js';
import type { MaskRCNNSizes } from './sizes.js';

/** What both heads share. */
interface RoiHead {
  readonly layers: ImageLayers;
  /** Parameters under `roi_head`. */
  readonly parameters: Parameters;
  /** The levels of the pyramid that regions are sampled from, the finest first. */
  readonly levels: readonly Output[];
  readonly sizes: MaskRCNNSizes;
  readonly settings: MaskRCNNGraphSettings;
}

interface Detections {
  /** [K, 4]: x1, y1, x2, y2 in pixels of the original image, in descending order of the score. */
  readonly boxes: Output;
  /** [K] */
  readonly scores: Output;
  /** [K] int32 */
  readonly classes: Output;
  readonly namedNodes: readonly string[];
}

/** Side of the features that the mask head takes; masks are twice as large. */
const MASK_SIDE = 14;

const FLOAT = { T: type('float32') };

/**
 * Features of regions, sampled from the level that fits their size: [R, side, side, C]. R is the number of regions, or 1 if there
 * are none, so that no layer gets an empty batch.
 */
function roiFeatures(
  { layers, levels, settings }: RoiHead,
  name: string,
  rois: Output,
  side: number,
): Output {
  const { graph } = layers;
  const ofLevels = graph.node('RoiLevels', `${name}/levels`, [rois], { levels: int(levels.length) });
  const split = graph.node('Unpack', `${name}/split`, [ofLevels], {
    ...FLOAT,
    num: int(levels.length),
    axis: int(0),
  });
  // Regions of other levels give zeros.
  const parts = levels.map((map, level) =>
    graph.node('RoiAlign', `${name}/level_${level}`, [map, outputOf(split, level)], {
      out_height: int(side),
      out_width: int(side),
      spatial_scale: float(1 / (4 * 2 ** level)),
      sampling_ratio: int(settings.samplingRatio),
      aligned: bool(true),
    }),
  );
  return graph.node('AddN', name, parts, { ...FLOAT, N: int(parts.length) });
}

/** Fully connected layers, then scores of all classes and a box for each. */
export function boxHead(
  head: RoiHead,
  proposals: Output,
  imageShape: Output,
  scaleFactor: Output,
): Detections {
  const { layers, sizes, settings } = head;
  const { graph } = layers;
  const module = head.parameters.at('bbox_head');
  const rois = graph.node('BoxRois', 'box_rois', [proposals]);
  const features = roiFeatures(head, 'box_features', rois, sizes.boxSide);
  const area = sizes.boxSide ** 2;
  let width = area * sizes.pyramidChannels;
  let x = graph.reshape('box_head/flat', features, [-1, width]);
  for (let i = 0; i < sizes.boxLayers; i++) {
    const layer = module.at(`shared_fcs.${i}`);
    const weights = layer.tensor('weight', [sizes.boxChannels, width]);
    const linear = layers.linear(`box_head/linear_${i}`, x, {
      weights,
      // The weights apply to features flattened channels first, [O, C * area]; ours are flattened channels last.
      matrix:
        i === 0
          ? {
              shape: [width, sizes.boxChannels],
              view: [sizes.boxChannels, sizes.pyramidChannels, area],
              axes: [2, 1, 0],
            }
          : undefined,
      bias: layer.tensor('bias', [sizes.boxChannels]),
    });
    x = layers.relu(`box_hidden_${i}`, linear);
    width = sizes.boxChannels;
  }
  const scores = layers.dense('class_scores', x, module.at('fc_cls'), [sizes.classes + 1, width]);
  const numbers = sizes.classAgnosticBoxes ? 4 : 4 * sizes.classes;
  const deltas = layers.dense('box_deltas', x, module.at('fc_reg'), [numbers, width]);
  const found = graph.node(
    'ClassDetections',
    'detections',
    [
      proposals,
      graph.node('Softmax', 'class_probabilities', [scores], FLOAT),
      deltas,
      imageShape,
      scaleFactor,
    ],
    {
      score_threshold: float(settings.scoreThreshold),
      iou_threshold: float(settings.iouThreshold),
      max_output: int(settings.maxDetections),
      stds: floats(settings.boxDeviations),
    },
  );
  // Nodes with a single output, so that they can be requested and fed by name.
  const [boxes, best, classes] = ['boxes', 'scores', 'classes'].map((name, i) =>
    graph.node('Identity', name, [outputOf(found, i)]),
  );
  const hidden = Array.from({ length: sizes.boxLayers }, (_, i) => `box_hidden_${i}`);
  return { boxes, scores: best, classes, namedNodes: [features, ...hidden, scores, deltas] };
}

/** Convolutions, an upsampling and a mask per class, of which the detected class's is selected. */
export function maskHead(
  head: RoiHead,
  { boxes, classes }: Detections,
  scaleFactor: Output,
): { readonly probabilities: Output; readonly namedNodes: readonly string[] } {
  const { layers, sizes } = head;
  const { graph } = layers;
  const module = head.parameters.at('mask_head');
  const rois = graph.node('BoxRois', 'mask_rois', [boxes, scaleFactor]);
  const features = roiFeatures(head, 'mask_features', rois, MASK_SIDE);
  let x = features;
  let width = sizes.pyramidChannels;
  for (let i = 0; i < sizes.maskConvolutions; i++) {
    x = layers.convolution(module.at(`convs.${i}.conv`), x, {
      inputs: width,
      outputs: sizes.maskChannels,
      bias: true,
      activation: 'relu',
    });
    width = sizes.maskChannels;
  }
  const upsample = module.at('upsample');
  const larger = layers.transposedConvolution(upsample, x, {
    inputs: width,
    outputs: sizes.maskChannels,
    bias: true,
    kernel: 2,
    stride: 2,
  });
  const all = layers.convolution(module.at('conv_logits'), layers.relu('mask_head/upsampled', larger), {
    inputs: sizes.maskChannels,
    outputs: sizes.classAgnosticMasks ? 1 : sizes.classes,
    kernel: 1,
    bias: true,
    node: 'mask_logits_of_classes',
  });
  const logits = graph.node('SelectChannels', 'mask_logits', [all, classes]);
  const probabilities = graph.node('Sigmoid', 'masks', [logits], FLOAT);
  return { probabilities, namedNodes: [rois, features, all, logits] };
}
