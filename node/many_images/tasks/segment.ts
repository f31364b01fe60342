/** The class of every pixel of images. */
import type { ClassShare } from '../../../plugin/index.js';
import { writeFileAtomically } from '../../atomic_file.js';
import type { StartedBackend } from '../../backend.js';
import { encodeClassMap, encodeImage, imageFormat } from '../../images/encode.js';
import type { ImageInput } from '../../images/image_files.js';
import { inline } from '../../printable.js';
import { openImageTask, tenths } from '../image_task.js';
import type { ImageKind } from '../task.js';

export interface SegmentOptions {
  readonly mode?: 'whole' | 'slide';
}

export interface SegmentInput extends ImageInput {
  /** Output path of the classes drawn over the image. */
  readonly out?: string;
  /** Output path of the class indices. */
  readonly mask?: string;
}

export interface Segmented {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  /** In descending order of the share. */
  readonly classes: readonly ClassShare[];
  readonly backend: StartedBackend;
  /** Milliseconds of preparation, prediction and drawing. */
  readonly ms: number;
  /** Files that were written. */
  readonly out?: string;
  readonly mask?: string;
}

/** Number of classes that the text output lists. */
const LISTED = 10;

export const SEGMENT: ImageKind<SegmentOptions, SegmentInput, Segmented> = {
  job: 1,
  describe: ({ file, width, height, classes, out, mask, backend, ms }) => {
    const lines = classes
      .slice(0, LISTED)
      .map(({ label, share }) => `  ${(100 * share).toFixed(1).padStart(5)} %  ${inline(label)}`);
    if (classes.length > LISTED) lines.push(`  and ${classes.length - LISTED} more classes`);
    const written = [out, mask].filter((path) => path !== undefined).map((path) => inline(path, 4096));
    if (written.length > 0) lines.push(`  written to ${written.join(' and ')}`);
    return [`${inline(file)}: ${width} x ${height} (${ms} ms, ${backend})`, ...lines].join('\n');
  },
  table: () => ({
    columns: [
      { name: 'width', type: 'integer' },
      { name: 'height', type: 'integer' },
      { name: 'index', type: 'integer' },
      { name: 'label', type: 'text' },
      { name: 'share', type: 'number' },
      { name: 'out', type: 'text' },
      { name: 'mask', type: 'text' },
      { name: 'backend', type: 'text' },
      { name: 'ms', type: 'number' },
    ],
    lines: ({ width, height, classes, out, mask, backend, ms }) =>
      classes.map(({ index, label, share }) => [width, height, index, label, share, out, mask, backend, ms]),
  }),
  async open(spec, options) {
    const { Segmenter } = await import('../../../plugin/models/segmenter.js');
    const { onPart } = options;
    return openImageTask(spec, options, Segmenter, (model, backend) => ({
      compute: async ({ input: { file, out, mask }, image }, later) => {
        const start = performance.now();
        const { classMap, classes, overlay } = await model.segment(image, {
          mode: spec.options.mode,
          overlay: out !== undefined,
          onProgress: (_, { done, total }) => onPart?.(done, total),
        });
        const ms = tenths(performance.now() - start);
        const { width, height } = image;
        later(async () => {
          if (out !== undefined && overlay)
            await writeFileAtomically(out, await encodeImage(overlay, imageFormat(out)));
          if (mask === undefined) return;
          const { length } = model.classNames;
          await writeFileAtomically(mask, await encodeClassMap(classMap, { width, height }, length));
        });
        const written = { ...(out !== undefined && { out }), ...(mask !== undefined && { mask }) };
        return { file, width, height, classes, backend, ms, ...written };
      },
    }));
  },
};
