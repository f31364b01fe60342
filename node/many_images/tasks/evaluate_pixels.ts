/**
 * How often each class of an image's pixels is predicted as each class: counts, whose size is independent of that of the image.
 */
import { ConfusionMatrix } from '../../../plugin/metrics/mean_iou.js';
import { NO_CLASS, readAde20kClasses } from '../../data/ade20k.js';
import type { ImageInput } from '../../images/image_files.js';
import { openImageTask } from '../image_task.js';
import type { ImageRow, TaskKind } from '../task.js';

/** An image, and the file with its pixel labels. */
export interface AnnotatedImage extends ImageInput {
  readonly annotation: string;
}

export interface ComparedPixels extends ImageRow {
  /** `ConfusionMatrix.entries` */
  readonly counts: readonly number[];
}

export const EVALUATE_PIXELS: TaskKind<object, AnnotatedImage, ComparedPixels> = {
  async open(spec, options) {
    const { Segmenter } = await import('../../../plugin/models/segmenter.js');
    return openImageTask(spec, options, Segmenter, (model) => ({
      compute: async ({ input, image }) => {
        const { classes } = model.metadata.architecture;
        const truth = await readAde20kClasses(input.annotation, classes, image);
        const matrix = new ConfusionMatrix(classes, { ignoreIndex: NO_CLASS });
        matrix.add(truth, (await model.segment(image)).classMap);
        return { file: input.file, counts: matrix.entries() };
      },
    }));
  },
};
