/** The objects in images. */
import type { Detection, MaskFormats } from '../../../plugin/index.js';
import { usualCategoryIds } from '../../../plugin/metrics/coco_categories.js';
import { writeFileAtomically } from '../../atomic_file.js';
import type { StartedBackend } from '../../backend.js';
import { encodeImage, imageFormat } from '../../images/encode.js';
import { type ImageInput, stemOf } from '../../images/image_files.js';
import { inline } from '../../printable.js';
import { openImageTask, tenths } from '../image_task.js';
import { type ImageKind, isFailed } from '../task.js';

export interface DetectOptions {
  /** Minimum score of an object; the model's own by default. */
  readonly threshold?: number;
  /** Whether rows include the input format of COCO's evaluation. */
  readonly coco?: boolean;
}

export interface DetectInput extends ImageInput {
  /** Output path of the image with its objects drawn. */
  readonly out?: string;
}

export interface Detected {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  /** In descending order of the score. */
  readonly detections: readonly Pick<Detection, 'box' | 'label' | 'index' | 'score'>[];
  /** The file that was written. */
  readonly out?: string;
  readonly backend: StartedBackend;
  /** Milliseconds of preparation, prediction and drawing. */
  readonly ms: number;
  /** With the option `coco`: the objects with their masks. */
  readonly coco?: readonly object[];
}

export const DETECT: ImageKind<DetectOptions, DetectInput, Detected> = {
  job: 1,
  describe: ({ file, width, height, detections, out, backend, ms }) => {
    const lines = detections.map(({ box, label, score }) => {
      const [x1, y1, x2, y2] = box.map((at) => at.toFixed(0));
      return `  ${score.toFixed(2)}  ${inline(label)}  ${x1},${y1} to ${x2},${y2}`;
    });
    if (out !== undefined) lines.push(`  written to ${inline(out, 4096)}`);
    const count = `${detections.length} ${detections.length === 1 ? 'object' : 'objects'}`;
    return [`${inline(file)}: ${width} x ${height}, ${count} (${ms} ms, ${backend})`, ...lines].join('\n');
  },
  elements: (row, { coco }) => {
    if (!coco) return [row];
    return isFailed(row) ? [] : (row.coco ?? []);
  },
  table: () => ({
    columns: [
      { name: 'width', type: 'integer' },
      { name: 'height', type: 'integer' },
      { name: 'x1', type: 'number' },
      { name: 'y1', type: 'number' },
      { name: 'x2', type: 'number' },
      { name: 'y2', type: 'number' },
      { name: 'index', type: 'integer' },
      { name: 'label', type: 'text' },
      { name: 'score', type: 'number' },
      { name: 'out', type: 'text' },
      { name: 'backend', type: 'text' },
      { name: 'ms', type: 'number' },
    ],
    lines: ({ width, height, detections, out, backend, ms }) => {
      const objects = detections.map(({ box, index, label, score }) => [...box, index, label, score]);
      const none = Array.from({ length: 7 }, () => undefined);
      return (objects.length > 0 ? objects : [none]).map((cells) => [
        width,
        height,
        ...cells,
        out,
        backend,
        ms,
      ]);
    },
  }),
  async open(spec, options) {
    const { Detector } = await import('../../../plugin/models/detector.js');
    const { threshold, coco } = spec.options;
    return openImageTask(spec, options, Detector, (model, backend) => {
      const ids = usualCategoryIds(model.classNames);
      return {
        compute: async ({ input: { file, out }, image }, later) => {
          const start = performance.now();
          const { overlay, width, height, detections } = await model.detect(image, {
            masks: coco ? 'rle' : out === undefined ? 'none' : 'bitmap',
            scoreThreshold: threshold,
            overlay: out !== undefined,
          });
          const ms = tenths(performance.now() - start);
          if (out !== undefined && overlay)
            later(async () => writeFileAtomically(out, await encodeImage(overlay, imageFormat(out))));
          return {
            file,
            width,
            height,
            detections: detections.map(({ box, label, index, score }) => ({ box, label, index, score })),
            ...(out !== undefined && { out }),
            backend,
            ms,
            ...(coco && { coco: cocoResults(imageId(file), detections, ids) }),
          };
        },
      };
    });
  },
};

/** The number at the end of an image's name, as in COCO's files, or the name. */
function imageId(file: string): number | string {
  const name = stemOf(file);
  const number = /(?:^|_)(\d{1,15})$/.exec(name);
  return number ? Number(number[1]) : name;
}

/** Objects in the input format of COCO's evaluation: boxes are x, y, width and height. */
export function cocoResults<Format extends keyof MaskFormats>(
  id: number | string,
  detections: readonly Detection<Format>[],
  categories: readonly number[],
) {
  return detections.map(({ box: [x1, y1, x2, y2], index, score, mask }) => ({
    image_id: id,
    category_id: categories[index],
    bbox: [x1, y1, x2 - x1, y2 - y1] as const,
    score,
    segmentation: mask,
  }));
}
