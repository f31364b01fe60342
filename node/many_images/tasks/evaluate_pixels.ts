/**
 * How often each class of an image's pixels is predicted as each class: counts, whose size is independent of that of the image.
 */

import type { Segmenter } from '../../../plugin/index.js';
import { ConfusionMatrix } from '../../../plugin/metrics/mean_iou.js';
import { NO_CLASS, readAde20kClasses } from '../../data/ade20k.js';
import type { ImageInput } from '../../images/image_files.js';
import { type ImageWork, openImageTask } from '../image_task.js';
import type { ImageRow, OpenOptions, Task, TaskKind, TaskSpec } from '../task.js';

/** An image, and the file with its pixel labels. */
export interface AnnotatedImage extends ImageInput {
  readonly annotation: string;
}

export interface ComparedPixels extends ImageRow {
  /** `ConfusionMatrix.entries` */
  readonly counts: readonly number[];
}

export const EVALUATE_PIXELS: TaskKind<object, AnnotatedImage, ComparedPixels> = { open };

async function open(spec: TaskSpec, options: OpenOptions): Promise<Task<AnnotatedImage, ComparedPixels>> {
  const { Segmenter } = await import('../../../plugin/models/segmenter.js');
  const workOf = (model: Segmenter): ImageWork<AnnotatedImage, ComparedPixels> => ({
    compute: async ({ input, image }) => {
      const { classes } = model.metadata.architecture;
      const truth = await readAde20kClasses(input.annotation, classes, image);
      const matrix = new ConfusionMatrix(classes, { ignoreIndex: NO_CLASS });
      matrix.add(truth, (await model.segment(image)).classMap);
      return { file: input.file, counts: matrix.entries() };
    },
  });
  return openImageTask(spec, options, (source) => Segmenter.load(source), workOf);
}
