/** The most probable classes of images. */
import type { Prediction } from '../../../plugin/index.js';
import type { StartedBackend } from '../../backend.js';
import type { ImageInput } from '../../images/image_files.js';
import { inline } from '../../printable.js';
import { openImageTask, tenths } from '../image_task.js';
import type { Column } from '../rows/table.js';
import type { ImageKind } from '../task.js';

export interface ClassifyOptions {
  /** Number of classes to list. */
  readonly top: number;
}

export interface Classified {
  readonly file: string;
  /** In descending order. */
  readonly predictions: readonly Prediction[];
  readonly backend: StartedBackend;
  /** Milliseconds of preparation and prediction; in a batch each image's share. */
  readonly ms: number;
}

export const CLASSIFY: ImageKind<ClassifyOptions, ImageInput, Classified> = {
  job: 32,
  describe: ({ file, predictions, backend, ms }) => {
    const lines = predictions.map(
      ({ label, probability }) => `  ${(100 * probability).toFixed(1).padStart(5)} %  ${inline(label)}`,
    );
    return [`${inline(file)} (${ms} ms, ${backend})`, ...lines].join('\n');
  },
  table: ({ top }) => ({
    columns: [
      ...Array.from({ length: top }, (_, i): Column[] => [
        { name: `index_${i + 1}`, type: 'integer' },
        { name: `label_${i + 1}`, type: 'text' },
        { name: `probability_${i + 1}`, type: 'number' },
      ]).flat(),
      { name: 'backend', type: 'text' },
      { name: 'ms', type: 'number' },
    ],
    lines: ({ predictions, backend, ms }) => {
      const listed = Array.from({ length: top }, (_, i) => predictions[i]);
      const cells = listed.flatMap((each) => [each?.index, each?.label, each?.probability]);
      return [[...cells, backend, ms]];
    },
  }),
  async open(spec, options) {
    const { GrootV } = await import('../../../plugin/models/grootv.js');
    const { prepareImage } = await import('../../../plugin/image/prepare.js');
    return openImageTask(spec, options, GrootV, (model, backend) => ({
      batch: model.imagesPerPrediction,
      prepare: (image) => prepareImage(image, model.metadata.preprocessing),
      computeAll: async (given) => {
        const images = given.map(({ image }) => image);
        const start = performance.now();
        const predictions = await model.classify(images.length > 1 ? images : images[0], {
          top: spec.options.top,
          prepare: false,
        });
        const share = (performance.now() - start) / given.length;
        return given.map(({ input, ms }, i) => ({
          file: input.file,
          predictions: predictions[i],
          backend,
          ms: tenths(ms + share),
        }));
      },
    }));
  },
};
