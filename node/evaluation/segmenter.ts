/** Evaluates a segmenter on images of ADE20K. */
import { ConfusionMatrix } from '../../plugin/metrics/mean_iou.js';
import { annotationOf, NO_CLASS, openAde20k } from '../data/ade20k.js';
import type { AnnotatedImage, ComparedPixels } from '../many_images/tasks/evaluate_pixels.js';
import { columns, type Evaluation, type EvaluationResult, labelsOf, orNull, percent } from './evaluation.js';
import type { ModelDescription } from './model_description.js';

/** @throws {Error} one line, if there are no images or annotations */
export async function evaluateAde20k(
  path: string,
  model: ModelDescription,
): Promise<Evaluation<AnnotatedImage, ComparedPixels>> {
  const { files, annotations } = await openAde20k(path);
  const matrix = new ConfusionMatrix(model.classes, { ignoreIndex: NO_CLASS });
  const names = labelsOf(model);
  return {
    task: { kind: 'evaluate-pixels', options: {} },
    inputs: files.map((file) => ({ file, annotation: annotationOf(file, annotations) })),
    order: 'class 1 of the annotations is the first of the model; 0 and 255 do not count',
    add: ({ counts }) => matrix.addEntries(counts),
    result: () => resultOf(matrix, names),
    confusion: { matrix: () => matrix, names },
  };
}

function resultOf(matrix: ConfusionMatrix, names: readonly string[]): EvaluationResult {
  const { classIoU, classAccuracy, meanIoU, meanAccuracy, pixelAccuracy, pixels } = matrix.quality();
  return {
    scores: {
      meanIoU: orNull(meanIoU),
      pixelAccuracy: orNull(pixelAccuracy),
      meanAccuracy: orNull(meanAccuracy),
      pixels,
      classes: names.map((label, index) => ({
        index,
        label,
        iou: classIoU[index],
        accuracy: classAccuracy[index],
      })),
    },
    lines: columns([
      ['mean IoU', percent(meanIoU)],
      ['pixel accuracy', percent(pixelAccuracy)],
      ['mean accuracy of the classes', percent(meanAccuracy)],
    ]),
  };
}
