/** Evaluates a classifier on labelled images. */
import { ClassifierEvaluator, TOP } from '../../plugin/metrics/classification.js';
import type { Prediction } from '../../plugin/models/grootv.js';
import { readClassList } from '../data/class_order.js';
import { evaluatedIdxSet, readIdxSet } from '../data/idx_files.js';
import { imageNetImages, labelledFolders } from '../data/labelled_images.js';
import type { ImageInput } from '../images/image_files.js';
import type { ImageRow, TaskSpec } from '../many_images/task.js';
import { columns, type Evaluation, type EvaluationResult, labelsOf, orNull, percent } from './evaluation.js';
import type { ModelDescription } from './model_description.js';

export interface ClassifierOptions {
  /** Number of bins for the calibration error. */
  readonly bins?: number;
  /** A file that lists the classes in the model's order. */
  readonly classOrder?: string;
  /** A list of the labels of ImageNet's images in one folder. */
  readonly groundTruth?: string;
}

interface Labelled extends ImageInput {
  readonly label: number;
}

type ClassifiedRow = ImageRow & { readonly predictions: readonly Prediction[] };

/**
 * Images in folders of classes, or in ImageNet's layouts.
 * @throws {Error} one line, if there are none, or the mapping of classes cannot be determined
 */
export async function evaluateFiles(
  layout: 'imagenet' | 'folders',
  path: string,
  model: ModelDescription,
  { bins, classOrder, groundTruth }: ClassifierOptions,
): Promise<Evaluation<Labelled, ClassifiedRow>> {
  const classes = { count: model.classes, names: model.names };
  const list = classOrder === undefined ? undefined : await readClassList(classOrder);
  const { images, order } =
    layout === 'folders'
      ? await labelledFolders(path, classes, list)
      : await imageNetImages(path, classes, { truth: groundTruth, list });
  return evaluation({ kind: 'classify', options: { top: TOP } }, images, order, model, bins);
}

/**
 * Images in idx files.
 * @throws {Error} one line, if they cannot be read, or have more classes than the model
 */
export async function evaluateIdx(
  paths: readonly string[],
  model: ModelDescription,
  { bins }: ClassifierOptions,
): Promise<Evaluation<Labelled & { readonly index: number }, ClassifiedRow>> {
  const files = await evaluatedIdxSet(paths);
  const { labels } = await readIdxSet(files);
  const wrong = labels.findIndex((label) => label >= model.classes);
  if (wrong >= 0) {
    throw new Error(
      `${files.labels}: label ${wrong} is ${labels[wrong]}, the model has ${model.classes} classes`,
    );
  }
  const digits = Array.from(labels, (label, index) => ({ file: `${files.images}#${index}`, index, label }));
  const order = 'labels are the numbers of the classes';
  return evaluation({ kind: 'evaluate-digits', options: files }, digits, order, model, bins);
}

function evaluation<Input extends Labelled>(
  task: Pick<TaskSpec, 'kind' | 'options'>,
  inputs: readonly Input[],
  order: string,
  model: ModelDescription,
  bins: number | undefined,
): Evaluation<Input, ClassifiedRow> {
  const evaluator = new ClassifierEvaluator(model.classes, { bins });
  const names = labelsOf(model);
  return {
    task,
    inputs,
    order,
    add: ({ predictions }, { label }) => evaluator.add(label, predictions),
    result: () => resultOf(evaluator, names),
    confusion: { matrix: () => evaluator.confusion(), names },
  };
}

function resultOf(evaluator: ClassifierEvaluator, names: readonly string[]): EvaluationResult {
  const { top1, top5, meanClassAccuracy, classAccuracy, calibration } = evaluator.quality();
  const { expectedError, largestError, bins } = calibration;
  return {
    scores: {
      top1: orNull(top1),
      top5: orNull(top5),
      meanClassAccuracy: orNull(meanClassAccuracy),
      classes: names.map((label, index) => ({ index, label, accuracy: classAccuracy[index] })),
      calibration: { expectedError: orNull(expectedError), largestError: orNull(largestError), bins },
    },
    lines: columns([
      ['top-1 accuracy', percent(top1)],
      [`top-${TOP} accuracy`, percent(top5)],
      ['mean accuracy of the classes', percent(meanClassAccuracy)],
      [`expected calibration error, ${bins.length} bins`, percent(expectedError)],
      ['largest calibration error of a bin', percent(largestError)],
    ]),
  };
}
