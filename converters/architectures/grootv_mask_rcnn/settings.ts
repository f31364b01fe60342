/** Settings of a Mask R-CNN that its weights do not determine: image preparation, anchors, thresholds, classes. */

import { type Check, integer, listOf, number } from '../../../plugin/models/checks.js';
import { type DensePreprocessing, FRACTION } from '../../../plugin/models/dense_metadata.js';
import {
  type DetectorMetadata,
  type DetectorTesting,
  MAX_BOXES,
  type ProposalSettings,
} from '../../../plugin/models/detector_metadata.js';
import type { UisMambaWeakening } from '../../../plugin/models/uis_mamba_metadata.js';
import { ArchitectureError } from '../../errors.js';
import type { BatchNormHandling } from '../../graph/batch_norm.js';
import type { ConfigValue } from '../../openmmlab/config_text.js';
import type { DenseOptions } from '../../openmmlab/dense_options.js';
import { type DenseSettings, refuseOptions, SettingsReader } from '../../openmmlab/settings.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import type { ModelDetails, SettingsOptions } from '../architecture.js';
import { weakeningOf } from '../uis_mamba/settings.js';
import type { MaskRCNNSizes } from './sizes.js';

/** The settings that the graph needs. */
export interface MaskRCNNGraphSettings extends DetectorTesting {
  /** For pixel values 0..1. */
  readonly preprocessing: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
  /** Size of an anchor, in strides of its level. */
  readonly anchorScale: number;
  /** Height / width of each anchor at a position. */
  readonly anchorRatios: readonly number[];
  readonly batchNorm?: BatchNormHandling;
  /** For UIS-Mamba's backbone. */
  readonly weakening?: UisMambaWeakening;
  /** Factors of the predicted offsets of anchors and of proposals: x, y, width, height. */
  readonly proposalDeviations: readonly number[];
  readonly boxDeviations: readonly number[];
  /** Samples along each side of a cell of RoIAlign; 0: as many as the cell has pixels. */
  readonly samplingRatio: number;
}

export interface MaskRCNNSettings extends DenseSettings, MaskRCNNGraphSettings {
  readonly preprocessing: DensePreprocessing;
}

/** From mmdetection's configurations for COCO. */
const SCALE = [1333, 800] as const;
const PADDING = 32;
export const MASK_RCNN_DEFAULTS = {
  scoreThreshold: 0.05,
  iouThreshold: 0.5,
  maxDetections: 100,
  maskThreshold: 0.5,
  proposals: { perLevel: 1000, maxOutput: 1000, iouThreshold: 0.7, minSize: 0 },
  anchorScale: 8,
  anchorRatios: [0.5, 1, 2],
  proposalDeviations: [1, 1, 1, 1],
  boxDeviations: [0.1, 0.1, 0.2, 0.2],
  samplingRatio: 0,
} satisfies Omit<MaskRCNNGraphSettings, 'preprocessing'>;

const SEGMENTATION = ['mode', 'cropSize', 'stride'] as const;
const COUNT = integer(1, MAX_BOXES);
const DEVIATIONS = listOf(number(1e-6, 1e6), 4, 4);

/** @throws {ArchitectureError} if an option does not fit, or the checkpoint asks for something that is not supported */
export function maskRCNNSettings(
  { classes, anchors, backbone }: MaskRCNNSizes,
  checkpoint: Checkpoint,
  { classNames, dense = {}, stemStride, uisMamba = {} }: SettingsOptions,
): MaskRCNNSettings {
  refuseOptions({ stemStride }, ['stemStride'], 'classifiers and backbones; this is a detector');
  refuseOptions(dense, SEGMENTATION, 'segmenters; this is a detector');
  const reader = new SettingsReader(checkpoint);
  const preprocessing = reader.preprocessing(dense, { scale: SCALE, padTo: PADDING });
  const own = backbone && weakeningOf(checkpoint, reader, uisMamba);
  const settings = {
    ...own,
    ...testing(reader, dense),
    ...regions(reader, anchors),
    preprocessing,
    ...reader.classes(classes, { classNames, palette: dense.palette }),
    imageSize: preprocessing.scale[1],
  };
  return { ...settings, report: reader.report };
}

/** Thresholds and counts, from `test_cfg`. */
function testing(reader: SettingsReader, options: DenseOptions): DetectorTesting {
  const { config } = reader;
  const usual = MASK_RCNN_DEFAULTS;
  const rcnn = (...keys: string[]) => config.testing('rcnn', ...keys);
  const rpn = (...keys: string[]) => config.testing('rpn', ...keys);
  for (const [part, suppression] of [
    ['rpn', rpn('nms', 'type')],
    ['rcnn', rcnn('nms', 'type')],
  ] as const) {
    if (suppression === undefined || suppression === 'nms') continue;
    reader.note(`${part}.nms`, 'nms', `${part}.nms is of another type; boxes that overlap are dropped`);
  }
  const given: Partial<ProposalSettings> = options.proposals ?? {};
  const most = (part: (...keys: string[]) => ConfigValue) => part('max_per_img') ?? part('max_num');
  const threshold = (part: (...keys: string[]) => ConfigValue) =>
    part('nms', 'iou_threshold') ?? part('nms', 'iou_thr') ?? part('nms_thr');
  const chosen = (name: Exclude<keyof DetectorTesting, 'proposals'>, check: Check, stored: ConfigValue) =>
    reader.choose<number>(name, check, options[name], stored, usual[name]);
  const ofProposals = (name: keyof ProposalSettings, check: Check, stored: ConfigValue) =>
    reader.choose<number>(`proposals.${name}`, check, given[name], stored, usual.proposals[name]);
  return {
    scoreThreshold: chosen('scoreThreshold', FRACTION, rcnn('score_thr')),
    iouThreshold: chosen('iouThreshold', FRACTION, threshold(rcnn)),
    maxDetections: chosen('maxDetections', COUNT, most(rcnn)),
    maskThreshold: chosen('maskThreshold', FRACTION, rcnn('mask_thr_binary')),
    proposals: {
      perLevel: ofProposals('perLevel', COUNT, rpn('nms_pre')),
      maxOutput: ofProposals('maxOutput', COUNT, most(rpn)),
      iouThreshold: ofProposals('iouThreshold', FRACTION, threshold(rpn)),
      minSize: ofProposals('minSize', number(0, 16_384), rpn('min_bbox_size')),
    },
  };
}

/** Anchors, deviations and sampling, from the configurations of the modules. */
function regions(reader: SettingsReader, anchors: number) {
  const { config } = reader;
  const usual: Omit<MaskRCNNGraphSettings, 'preprocessing'> = MASK_RCNN_DEFAULTS;
  const generator = (name: string) => config.model('rpn_head', 'anchor_generator', name);
  const coder = (...path: string[]) => config.model(...path, 'bbox_coder', 'target_stds');
  const roi = (name: string) => config.model('roi_head', 'bbox_roi_extractor', 'roi_layer', name);
  const chosen = <N extends keyof typeof usual>(name: N, check: Check, stored: ConfigValue) =>
    reader.choose<(typeof usual)[N]>(name, check, undefined, stored, usual[name]);
  const scales = generator('scales');
  const scale = Array.isArray(scales) && scales.length === 1 ? scales[0] : scales;
  const settings = {
    anchorScale: chosen('anchorScale', number(1e-3, 1e4), scale),
    anchorRatios: chosen('anchorRatios', listOf(number(1e-3, 1e3), anchors, anchors), generator('ratios')),
    proposalDeviations: chosen('proposalDeviations', DEVIATIONS, coder('rpn_head')),
    boxDeviations: chosen('boxDeviations', DEVIATIONS, coder('roi_head', 'bbox_head')),
    samplingRatio: chosen('samplingRatio', integer(0, 64), roi('sampling_ratio')),
  };
  if (settings.anchorRatios.length !== anchors) {
    throw new ArchitectureError(
      `the RPN has ${anchors} anchors a position, whose ratios are not in the weights: expected ` +
        `anchor_generator.ratios in ${config.where}`,
    );
  }
  return settings;
}

export function maskRCNNMetadata(
  { anchors: _anchors, boxLayers: _boxLayers, boxSide: _boxSide, ...sizes }: MaskRCNNSizes,
  settings: MaskRCNNSettings,
  { parameters, ...details }: ModelDetails,
): DetectorMetadata {
  const { preprocessing, classNames, palette } = settings;
  const { scoreThreshold, iouThreshold, maxDetections, maskThreshold, proposals } = settings;
  return {
    architecture: { family: 'GrootV-MaskRCNN', ...sizes, ...settings.weakening, parameters },
    preprocessing,
    testing: { scoreThreshold, iouThreshold, maxDetections, maskThreshold, proposals },
    classNames,
    palette,
    ...details,
  };
}
