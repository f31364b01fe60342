/** What a checkpoint of Mask R-CNN on GrootV is, read from the names and shapes of its tensors alone. */
import { Parameters } from '../../parameters.js';
import { disagreements } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { countParameters } from '../grootv/architecture.js';
import { denseTrunk, hasAnchor, ownsBackbone, whyLeftOut } from '../grootv/dense_trunk.js';
import { refuseModelsBeside } from '../grootv/model_evidence.js';
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from '../grootv/preprocessing.js';
import { maskRCNNGraph } from './graph.js';
import { MASK_RCNN_DEFAULTS, type MaskRCNNSettings, maskRCNNMetadata, maskRCNNSettings } from './settings.js';
import type { MaskRCNNSizes } from './sizes.js';

const HEADS = /^(neck|rpn_head|roi_head)\./;

/** Mask R-CNN on GrootV: checkpoints of mmdetection. */
export const GROOTV_MASK_RCNN: FileArchitecture<MaskRCNNSizes, MaskRCNNSettings> = {
  family: 'GrootV-MaskRCNN',
  title: 'Mask R-CNN on GrootV',
  contains: 'GrootV',
  anchors: ['rpn_head.rpn_conv.', 'roi_head.bbox_head.', 'roi_head.mask_head.'],
  owns: (name) => ownsBackbone(name) || HEADS.test(name),
  whyLeftOut,
  describe: ({ name, channels, depths, classes }) =>
    `a ${name} (channels ${channels}, depths ${depths.join(', ')}, ${classes} classes)`,
  fit(state) {
    const trunk = denseTrunk(state);
    if (!trunk || !hasAnchor(state, GROOTV_MASK_RCNN)) return undefined;
    const parameters = new Parameters(state);
    const [boxes, masks] = ['roi_head.bbox_head', 'roi_head.mask_head'].map((path) => parameters.at(path));
    const counted = (head: Parameters, name: (i: number) => string) => {
      let count = 0;
      while (head.has(name(count))) count++;
      return count;
    };
    // Background is the last class of the box head.
    const classes = Math.max(1, boxes.size('fc_cls.weight', 0, 81) - 1);
    const pyramidChannels = parameters.size('neck.lateral_convs.0.conv.weight', 0, 256);
    const cells = boxes.size('shared_fcs.0.weight', 1, 49 * pyramidChannels) / pyramidChannels;
    const sizes: MaskRCNNSizes = {
      ...trunk,
      name: `${trunk.name} + Mask R-CNN`,
      classes,
      pyramidChannels,
      boxChannels: boxes.size('fc_cls.weight', 1, 1024),
      maskChannels: masks.size('upsample.weight', 1, 256),
      maskConvolutions: counted(masks, (i) => `convs.${i}.conv.weight`),
      classAgnosticBoxes: classes > 1 && boxes.size('fc_reg.weight', 0, 0) === 4,
      classAgnosticMasks: classes > 1 && masks.size('conv_logits.weight', 0, 0) === 1,
      anchors: parameters.size('rpn_head.rpn_cls.weight', 0, 3),
      boxLayers: counted(boxes, (i) => `shared_fcs.${i}.weight`),
      boxSide: Math.max(1, Math.round(Math.sqrt(cells)) || 0),
    };
    declare(sizes, parameters);
    return { sizes, differences: disagreements(state, parameters.declared, GROOTV_MASK_RCNN.owns) };
  },
  check: refuseModelsBeside('GrootV'),
  settings: maskRCNNSettings,
  build: maskRCNNGraph,
  countParameters,
  metadata: maskRCNNMetadata,
};

/** Reads every parameter; the settings decide no shape. */
function declare(sizes: MaskRCNNSizes, parameters: Parameters): void {
  const preprocessing = { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION };
  maskRCNNGraph(sizes, parameters, { ...MASK_RCNN_DEFAULTS, preprocessing });
}

/** Names and shapes of all tensors of a network of these sizes. */
export function maskRCNNShapes(sizes: MaskRCNNSizes): ReadonlyMap<string, readonly number[]> {
  const parameters = new Parameters();
  declare(sizes, parameters);
  return parameters.declared;
}
