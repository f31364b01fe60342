/** All detections in an image, in the format of COCO's result files. */
import type { Detector } from '../../../plugin/index.js';
import type { CocoResult } from '../../../plugin/metrics/coco_matching.js';
import type { ImageInput } from '../../images/image_files.js';
import { type ImageWork, openImageTask } from '../image_task.js';
import type { ImageRow, OpenOptions, Task, TaskKind, TaskSpec } from '../task.js';

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

export const EVALUATE_OBJECTS: TaskKind<ObjectsOptions, CocoImageInput, FoundObjects> = { open };

async function open(
  spec: TaskSpec<ObjectsOptions>,
  options: OpenOptions,
): Promise<Task<CocoImageInput, FoundObjects>> {
  const { Detector } = await import('../../../plugin/models/detector.js');
  const { masks, categories } = spec.options;
  const workOf = (model: Detector): ImageWork<CocoImageInput, FoundObjects> => ({
    compute: async ({ input, image }) => {
      const { file, id, width, height } = input;
      if (image.width !== width || image.height !== height) {
        throw new Error(
          `"${file}" has ${image.width} x ${image.height} pixels, its annotations are of ${width} x ${height}`,
        );
      }
      const { detections } = await model.detect(image, { masks: masks ? 'rle' : 'none' });
      const results = detections.map(({ box: [x1, y1, x2, y2], index, score, mask }) => ({
        image_id: id,
        category_id: categories[index],
        score,
        bbox: [x1, y1, x2 - x1, y2 - y1] as const,
        segmentation: mask,
      }));
      return { file, results };
    },
  });
  return openImageTask(spec, options, (source) => Detector.load(source), workOf);
}
