/** Settings and metadata of a converted GrootV model. */
import { listOf, text } from '../../../plugin/models/checks.js';
import {
  EXPORTED,
  type GrootVArchitecture,
  type GrootVMetadata,
  type StemStride,
} from '../../../plugin/models/grootv_metadata.js';
import { ArchitectureError } from '../../errors.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import { readConfigNumber } from '../../pytorch/state_dict.js';
import type { ModelDetails, ModelSettings, SettingsOptions } from '../architecture.js';
import { refuseDense } from '../refused_options.js';
import { IMAGENET_CLASSES } from './imagenet_classes.js';
import { stemStrideOf } from './model_evidence.js';
import { IMAGENET_SIZE, preprocessingOf } from './preprocessing.js';

export interface GrootVSettings extends ModelSettings {
  readonly imageSize: number;
  readonly stemStride: StemStride;
}

/**
 * The stride of the stem, the image size, and the class names. The authors' training checkpoints record the image size; files
 * exported by this package record all three.
 * @throws {ArchitectureError} if the number of class names differs from the number of classes of the head
 */
export function grootVSettings(
  { classes }: GrootVArchitecture,
  checkpoint: Checkpoint,
  options: SettingsOptions,
): GrootVSettings {
  refuseDense(options, 'a classifier');
  const { classNames } = options;
  const { metadata } = checkpoint;
  const exported = metadata.get(EXPORTED.imageSize);
  const size = readConfigNumber(checkpoint, ['config', 'DATA', 'IMG_SIZE']) ?? Number(exported ?? 0);
  const isSize = Number.isInteger(size) && size >= 1 && size <= 4096;
  if (classNames && classNames.length !== classes) {
    throw new ArchitectureError(
      `${classNames.length} class names were given, the model has ${classes} classes`,
    );
  }
  const usual =
    exportedNames(metadata.get(EXPORTED.classNames), classes) ??
    (classes === IMAGENET_CLASSES.length ? IMAGENET_CLASSES : null);
  const { stride, setting, warning } = stemStrideOf(checkpoint, options.stemStride);
  return {
    imageSize: isSize ? size : IMAGENET_SIZE,
    classNames: classNames ?? usual,
    stemStride: stride,
    report: [setting],
    warnings: warning === undefined ? [] : [warning],
  };
}

/** The class names in an exported file, unless they are malformed. */
function exportedNames(json: string | undefined, classes: number): readonly string[] | undefined {
  if (json === undefined) return undefined;
  try {
    const names: unknown = JSON.parse(json);
    listOf(text(1000), classes, classes)(names, EXPORTED.classNames);
    return names as readonly string[];
  } catch {
    return undefined;
  }
}

/** The sizes with the stride of the stem, and the name of the model that has that stride. */
export function withStemStride(
  sizes: GrootVArchitecture,
  { stemStride }: GrootVSettings,
): GrootVArchitecture {
  const name = stemStride === 1 ? sizes.name.replace(/^GrootV/, 'GG-SSM') : sizes.name;
  return { ...sizes, name, stemStride };
}

export function grootVMetadata(
  sizes: GrootVArchitecture,
  { imageSize, classNames }: GrootVSettings,
  { parameters, ...details }: ModelDetails,
): GrootVMetadata {
  return {
    architecture: { family: 'GrootV', ...sizes, parameters },
    preprocessing: preprocessingOf(imageSize, sizes),
    classNames,
    ...details,
  };
}
