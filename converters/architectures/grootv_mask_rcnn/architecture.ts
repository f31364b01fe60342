/** Recognises checkpoints of Mask R-CNN on GrootV by the names and shapes of their tensors. */
import type { DenseTrunk } from '../../../plugin/models/dense_metadata.js';
import type { GrootVScan, GrootVTrunk } from '../../../plugin/models/grootv_metadata.js';
import { declaredShapes, type Parameter, Parameters } from '../../parameters.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import { disagreements, entriesIn, type StateShapes } from '../../state_shapes.js';
import type { FileArchitecture } from '../architecture.js';
import { countParameters } from '../grootv/architecture.js';
import { denseTrunk, hasAnchor, ownsBackbone, whyLeftOut } from '../grootv/dense_trunk.js';
import { refuseModelsBeside } from '../grootv/model_evidence.js';
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from '../grootv/preprocessing.js';
import { UIS_MAMBA, uisMambaSizes } from '../uis_mamba/architecture.js';
import { UIS_MAMBA_DEFAULTS } from '../uis_mamba/settings.js';
import { maskRCNNGraph } from './graph.js';
import { MASK_RCNN_DEFAULTS, type MaskRCNNSettings, maskRCNNMetadata, maskRCNNSettings } from './settings.js';
import type { MaskRCNNSizes } from './sizes.js';

const HEADS = /^(neck|rpn_head|roi_head)\./;

/** A backbone under the heads. */
interface Backbone {
  readonly family: 'GrootV' | 'UIS-Mamba';
  /** Whether a name, without `backbone.`, belongs to it. */
  owns(name: string): boolean;
  whyLeftOut(name: string): string | undefined;
  /** Undefined if there is none. */
  sizes(state: StateShapes): Omit<DenseTrunk, 'classes'> | undefined;
  check(checkpoint: Checkpoint): void;
  readonly scan?: GrootVScan | null;
}

/** Mask R-CNN as in checkpoints of mmdetection. */
function maskRCNNOn(backbone: Backbone): FileArchitecture<MaskRCNNSizes, MaskRCNNSettings> {
  const { family, scan } = backbone;
  const anchors = ['rpn_head.rpn_conv.', 'roi_head.bbox_head.', 'roi_head.mask_head.'];
  const owns = (name: string) => backbone.owns(name) || HEADS.test(name);
  return {
    family: `${family}-MaskRCNN`,
    title: `Mask R-CNN on ${family}`,
    contains: family,
    anchors,
    owns,
    whyLeftOut: backbone.whyLeftOut,
    describe: ({ name, channels, depths, classes }) =>
      `a ${name} (channels ${channels}, depths ${depths.join(', ')}, ${classes} classes)`,
    scan,
    fit(state) {
      const trunk = backbone.sizes(state);
      if (!trunk || !hasAnchor(state, { anchors })) return undefined;
      const sizes = { ...trunk, ...headSizes(new Parameters(state)), name: `${trunk.name} + Mask R-CNN` };
      return { sizes, differences: disagreements(state, maskRCNNShapes(sizes, state), owns) };
    },
    check: backbone.check,
    settings: maskRCNNSettings,
    build: maskRCNNGraph,
    countParameters,
    metadata: maskRCNNMetadata,
  };
}

export const GROOTV_MASK_RCNN = maskRCNNOn({
  family: 'GrootV',
  owns: ownsBackbone,
  whyLeftOut,
  sizes: denseTrunk,
  check: refuseModelsBeside('GrootV'),
});

const PREFIX = 'backbone.';
const inBackbone = (name: string) => (name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined);

export const UIS_MAMBA_MASK_RCNN = maskRCNNOn({
  family: 'UIS-Mamba',
  owns: (name) => UIS_MAMBA.owns(inBackbone(name) ?? ''),
  whyLeftOut: (name) => UIS_MAMBA.whyLeftOut?.(inBackbone(name) ?? name) ?? whyLeftOut(name),
  sizes(state) {
    const sizes = uisMambaSizes(entriesIn(state, PREFIX));
    return sizes && { ...sizes, backbone: 'UIS-Mamba' as const };
  },
  check: UIS_MAMBA.check,
  scan: UIS_MAMBA.scan,
});

/** The sizes of the neck and the heads. */
function headSizes(parameters: Parameters): Omit<MaskRCNNSizes, keyof GrootVTrunk | 'outputNormalization'> {
  const [boxes, masks] = ['roi_head.bbox_head', 'roi_head.mask_head'].map((path) => parameters.at(path));
  const counted = (head: Parameters, name: (i: number) => string) => {
    let count = 0;
    while (head.has(name(count))) count++;
    return count;
  };
  // The last class of the box head is the background.
  const classes = Math.max(1, boxes.size('fc_cls.weight', 0, 81) - 1);
  const pyramidChannels = parameters.size('neck.lateral_convs.0.conv.weight', 0, 256);
  const cells = boxes.size('shared_fcs.0.weight', 1, 49 * pyramidChannels) / pyramidChannels;
  return {
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
}

/**
 * Names and shapes of all tensors of a network of these sizes; settings determine no shape. Sizes that the architecture leaves
 * free are taken from the state.
 */
export function maskRCNNShapes(
  sizes: MaskRCNNSizes,
  state?: ReadonlyMap<string, Parameter>,
): ReadonlyMap<string, readonly number[]> {
  const preprocessing = { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION };
  const settings = { ...MASK_RCNN_DEFAULTS, preprocessing, weakening: sizes.backbone && UIS_MAMBA_DEFAULTS };
  return declaredShapes((parameters) => maskRCNNGraph(sizes, parameters, settings), state);
}
