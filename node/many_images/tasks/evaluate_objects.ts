/** All detections in an image, in the format of COCO's result files. */
import type { CocoResult } from '../../../plugin/metrics/coco_matching.js';
import type { ImageInput } from '../../images/image_files.js';
import { openImageTask } from '../image_task.js';
import type { ImageRow, TaskKind } from '../task.js';
import { cocoResults } from './detect.js';

export interface ObjectsOptions {
  /** Whether to compute masks. */
  readonly masks: boolean;
  /** COCO category of each class of the model. */
  readonly categories: readonly number[];
}

/** An image, its id, and the size that its annotations refer to. */
export interface CocoImageInput extends ImageInput {
  readonly id: number;
  readonly width: number;
  readonly height: number;
}

export interface FoundObjects extends ImageRow {
  readonly results: readonly CocoResult[];
}

export const EVALUATE_OBJECTS: TaskKind<ObjectsOptions, CocoImageInput, FoundObjects> = {
  async open(spec, options) {
    const { Detector } = await import('../../../plugin/models/detector.js');
    const { masks, categories } = spec.options;
    return openImageTask(spec, options, Detector, (model) => ({
      compute: async ({ input, image }) => {
        const { file, id, width, height } = input;
        if (image.width !== width || image.height !== height) {
          throw new Error(
            `"${file}" has ${image.width} x ${image.height} pixels, its annotations are of ${width} x ${height}`,
          );
        }
        const { detections } = await model.detect(image, { masks: masks ? 'rle' : 'none' });
        return { file, results: cocoResults(id, detections, categories) };
      },
    }));
  },
};
