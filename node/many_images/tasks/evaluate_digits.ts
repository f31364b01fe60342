/** The most probable classes of images in idx files, preprocessed as small digits: the whole image, resized bilinearly. */
import type { Prediction } from '../../../plugin/index.js';
import { TOP } from '../../../plugin/metrics/classification.js';
import type { IdxPaths } from '../../data/idx_files.js';
import type { ImageInput } from '../../images/image_files.js';
import { openImageTask } from '../image_task.js';
import type { ImageRow, TaskKind } from '../task.js';

/** An image in an image file of a dataset. */
export interface Digit extends ImageInput {
  readonly index: number;
}

export interface ClassifiedDigit extends ImageRow {
  /** In descending order. */
  readonly predictions: readonly Prediction[];
}

export const EVALUATE_DIGITS: TaskKind<IdxPaths, Digit, ClassifiedDigit> = {
  async open(spec, options) {
    const { GrootV } = await import('../../../plugin/models/grootv.js');
    const { readIdxSet } = await import('../../data/idx_files.js');
    const { inOrder } = await import('../../../plugin/training/data/batches.js');
    const examples = await readIdxSet(spec.options);
    return openImageTask(spec, options, GrootV, (model) => ({
      batch: model.imagesPerPrediction,
      read: async ({ index }) => examples.image(index),
      computeAll: async (given) => {
        const batch = {
          ...examples,
          labels: new Int32Array(given.length),
          image: (i: number) => given[i].image,
        };
        const rows: ClassifiedDigit[] = [];
        const preparation = model.metadata.preprocessing;
        for await (const { images } of inOrder(batch, { batch: given.length, preparation })) {
          try {
            const predictions = await model.classify(images, { top: TOP, prepare: false });
            rows.push(...given.map(({ input }, i) => ({ file: input.file, predictions: predictions[i] })));
          } finally {
            images.dispose();
          }
        }
        return rows;
      },
    }));
  },
};
