/** Adapts examples to a model: maps classes and sets the image size. */

import { integer } from '../../models/checks.js';
import { artifactsOf } from '../../models/graph_editor.js';
import type { GrootV } from '../../models/grootv.js';
import { MAX_IMAGE_SIZE } from '../../models/grootv_metadata.js';
import { LoadedModel } from '../../models/loaded_model.js';
import { classesOf, classIndices, type Examples } from './examples.js';

/**
 * Maps the labels of examples to the classes of a model, by name, whatever their order.
 * @param isNewHead whether the model gets a new classifier for the classes of the examples
 * @throws {Error} if the model lacks such classes.
 */
export function examplesFor(model: GrootV, examples: Examples, isNewHead: boolean): Examples {
  if (isNewHead) return examples;
  const { classNames, architecture } = model.metadata;
  const { name } = examples;
  const remedy = 'train a new classifier for them (newHead; --new-head on the command line)';
  if (architecture.classes === 0) throw new Error(`the model has no classification head: ${remedy}`);
  if (examples.classNames && classNames) {
    const own = examples.classNames;
    const unknown = own.find((each) => !classNames.includes(each));
    if (unknown !== undefined) {
      throw new Error(`${name}: the model has no class ${JSON.stringify(unknown)}; ${remedy}`);
    }
    const labels = Array.from(examples.labels, (label) => own[label]);
    return { ...examples, classNames, labels: classIndices(name, labels, classNames) };
  }
  const classes = classesOf(examples);
  const fits = examples.classNames ? classes === architecture.classes : classes <= architecture.classes;
  if (fits) return examples;
  throw new Error(`${name} has ${classes} classes, the model ${architecture.classes}; ${remedy}`);
}

/**
 * Changes the size to which a model prepares images, including in its saved metadata.
 * @param size side in pixels
 */
export function setImageSize(model: GrootV, size: number): void {
  integer(1, MAX_IMAGE_SIZE)(size, 'setImageSize: size');
  const graph = model.model;
  if (!(graph instanceof LoadedModel))
    throw new Error('setImageSize: expected a model that GrootV.load gave');
  const { preprocessing } = model.metadata;
  const userDefinedMetadata = {
    ...artifactsOf(graph).userDefinedMetadata,
    preprocessing: { ...preprocessing, size },
  };
  graph.describe({ userDefinedMetadata });
  Object.assign(model, { metadata: graph.metadata });
}
