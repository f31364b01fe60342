/** What a converted GrootV model says of itself. */
import type { GrootVArchitecture, GrootVMetadata } from '../../../plugin/models/grootv_metadata.js';
import { ArchitectureError } from '../../errors.js';
import { CONVERTER_VERSION } from '../../version.js';
import type { ModelDetails } from '../architecture.js';
import { IMAGENET_CLASSES } from './imagenet_classes.js';
import { preprocessingOf } from './preprocessing.js';

/** @throws {ArchitectureError} when there are other than as many class names as the head has classes */
export function grootVMetadata(sizes: GrootVArchitecture, details: ModelDetails): GrootVMetadata {
  const { parameters, imageSize, classNames, source, quantization, nodes } = details;
  return {
    architecture: { family: 'GrootV', ...sizes, parameters },
    preprocessing: preprocessingOf(imageSize),
    classNames: classNamesFor(sizes, classNames),
    source,
    quantization,
    nodes,
    converter: { name: 'tfjs-grootvl', version: CONVERTER_VERSION },
  };
}

function classNamesFor({ classes }: GrootVArchitecture, given: readonly string[] | undefined) {
  if (!given) return classes === IMAGENET_CLASSES.length ? IMAGENET_CLASSES : null;
  if (given.length !== classes) {
    throw new ArchitectureError(`${given.length} class names were given, the model has ${classes} classes`);
  }
  return given;
}
