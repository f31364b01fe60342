/** Settings of a UperNet that its weights do not determine: image preparation, sliding windows, classes. */
import { integer, listOf, nullable, oneOf } from '../../../plugin/models/checks.js';
import type { DensePreprocessing } from '../../../plugin/models/dense_metadata.js';
import {
  checkInference,
  type SegmenterInference,
  type SegmenterMetadata,
} from '../../../plugin/models/segmenter_metadata.js';
import { ArchitectureError } from '../../errors.js';
import { type DenseSettings, PAIR, refuseOptions, SettingsReader } from '../../openmmlab/settings.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import type { ModelDetails, SettingsOptions } from '../architecture.js';
import type { UperNetGraphSettings, UperNetSizes } from './graph.js';

export interface UperNetSettings extends DenseSettings, UperNetGraphSettings {
  readonly preprocessing: DensePreprocessing;
  readonly inference: SegmenterInference;
}

/** From mmsegmentation's configurations for ADE20K. */
const SCALE = [2048, 512] as const;
const CROP = [512, 512] as const;
const STRIDE = [341, 341] as const;
const POOL_SCALES: readonly number[] = [1, 2, 3, 6];

const DETECTION = ['scoreThreshold', 'iouThreshold', 'maxDetections', 'maskThreshold', 'proposals'] as const;

/** @throws {ArchitectureError} if an option does not fit, or the checkpoint asks for something that is not supported */
export function uperNetSettings(
  { classes, pools }: UperNetSizes,
  checkpoint: Checkpoint,
  { classNames, dense = {}, stemStride }: SettingsOptions,
): UperNetSettings {
  refuseOptions({ stemStride }, ['stemStride'], 'classifiers and backbones; this is a segmenter');
  refuseOptions(dense, DETECTION, 'detectors; this is a segmenter');
  const reader = new SettingsReader(checkpoint);
  const { config } = reader;
  if (config.model('decode_head', 'align_corners') === true) {
    throw new ArchitectureError(
      `${config.where}: the head resizes with align_corners=True, expected False: corners would be off`,
    );
  }
  const preprocessing = reader.preprocessing(dense, { scale: SCALE, padTo: 1 });
  const mode = reader.choose('mode', oneOf('whole', 'slide'), dense.mode, config.testing('mode'), 'whole');
  const isSlide = mode === 'slide';
  const window = nullable(PAIR);
  const cropSize = reader.choose<SegmenterInference['cropSize']>(
    'cropSize',
    window,
    dense.cropSize,
    config.testing('crop_size'),
    isSlide ? CROP : null,
  );
  const stride = reader.choose<SegmenterInference['stride']>(
    'stride',
    window,
    dense.stride,
    config.testing('stride'),
    isSlide ? STRIDE : null,
  );
  const inference = { mode, cropSize, stride };
  try {
    checkInference(inference, config.where);
  } catch (error) {
    throw new ArchitectureError((error as Error).message);
  }
  const usual = pools === POOL_SCALES.length ? POOL_SCALES : [];
  const sides = listOf(integer(1, 1024), pools, pools);
  const poolScales = reader.choose(
    'poolScales',
    sides,
    undefined,
    config.model('decode_head', 'pool_scales'),
    usual,
  );
  if (poolScales.length !== pools) {
    throw new ArchitectureError(
      `the head pools to ${pools} maps, whose sides are not in the weights: expected pool_scales in ${config.where}`,
    );
  }
  return {
    preprocessing,
    inference,
    poolScales,
    ...reader.classes(classes, { classNames, palette: dense.palette }),
    imageSize: preprocessing.scale[1],
    report: reader.report,
  };
}

export function uperNetMetadata(
  { pools, ...sizes }: UperNetSizes,
  { preprocessing, inference, poolScales, classNames, palette }: UperNetSettings,
  { parameters, ...details }: ModelDetails,
): SegmenterMetadata {
  return {
    architecture: { family: 'GrootV-UperNet', ...sizes, poolScales, parameters },
    preprocessing,
    inference,
    classNames,
    palette,
    ...details,
  };
}
