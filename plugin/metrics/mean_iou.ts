/** Evaluates a segmenter on labelled images, with the metrics of mmsegmentation. */
import type { ImageInput } from '../image/input.js';
import { abortSignal, options as checkOptions, integer } from '../models/checks.js';
import type { Segmenter } from '../models/segmenter.js';
import { nextTask } from '../next_task.js';

/** The label of ignored pixels in segmentation datasets. */
export const IGNORED_PIXEL = 255;

export interface ConfusionOptions {
  /** The label of pixels that are ignored, whatever is predicted there; default 255. */
  readonly ignoreIndex?: number;
}

export interface SegmentationQuality {
  /**
   * Intersection over union of each class: pixels with the class in both label and prediction, divided by those with it in
   * at least one. null if there are none.
   */
  readonly classIoU: readonly (number | null)[];
  /** Mean over the classes that occur; NaN without any pixel. */
  readonly meanIoU: number;
  /**
   * Accuracy of each class: pixels with the class in both label and prediction, divided by those with the label. null if
   * there are none.
   */
  readonly classAccuracy: readonly (number | null)[];
  /** Mean over the classes that occur as labels. */
  readonly meanAccuracy: number;
  /** Fraction of pixels that are classified correctly. */
  readonly pixelAccuracy: number;
  /** Number of pixels that are not ignored. */
  readonly pixels: number;
}

/** Counts pixels by label and predicted class. Counts are summed over all images before the metrics are computed. */
export class ConfusionMatrix {
  /** float64 [classes, classes], row-major: pixels by label and predicted class. */
  readonly counts: Float64Array;
  private readonly ignoreIndex: number;

  /** @throws {Error} if an option is invalid. */
  constructor(
    readonly classes: number,
    options: ConfusionOptions = {},
  ) {
    integer(1, 65_536)(classes, 'ConfusionMatrix: classes');
    checkOptions(options, 'ConfusionMatrix', { ignoreIndex: integer(Number.MIN_SAFE_INTEGER) });
    this.ignoreIndex = options.ignoreIndex ?? IGNORED_PIXEL;
    this.counts = new Float64Array(classes * classes);
  }

  /**
   * Adds pixels.
   * @throws {Error} if the lengths differ, or a class is not below `classes`; nothing has then been added.
   */
  add(truth: ArrayLike<number>, prediction: ArrayLike<number>): void {
    if (truth.length !== prediction.length) {
      throw new Error(
        `ConfusionMatrix: ${prediction.length} predicted pixels, expected ${truth.length} as the truth has`,
      );
    }
    const { classes, ignoreIndex } = this;
    const isClass = (value: number) => Number.isInteger(value) && value >= 0 && value < classes;
    for (let i = 0; i < truth.length; i++) {
      if (truth[i] === ignoreIndex || (isClass(truth[i]) && isClass(prediction[i]))) continue;
      throw new Error(
        `ConfusionMatrix: pixel ${i} is of class ${truth[i]}, predicted ${prediction[i]}, expected 0 to ${classes - 1}`,
      );
    }
    for (let i = 0; i < truth.length; i++) {
      if (truth[i] !== ignoreIndex) this.counts[truth[i] * classes + prediction[i]]++;
    }
  }

  /** Returns the non-zero counts as a flat list for transfer: label, predicted class and count of each. */
  entries(): number[] {
    const { classes, counts } = this;
    const entries: number[] = [];
    for (let at = 0; at < counts.length; at++) {
      if (counts[at] > 0) entries.push(Math.floor(at / classes), at % classes, counts[at]);
    }
    return entries;
  }

  /**
   * Adds the {@link ConfusionMatrix.entries} of another matrix.
   * @throws {Error} if they are invalid; nothing has then been added.
   */
  addEntries(entries: readonly number[]): void {
    const classOf = integer(0, this.classes - 1);
    if (entries.length % 3 !== 0)
      throw new Error(`ConfusionMatrix: ${entries.length} numbers, expected threes`);
    for (const [i, value] of entries.entries()) {
      (i % 3 === 2 ? integer(0) : classOf)(value, `ConfusionMatrix: entry ${i}`);
    }
    for (let i = 0; i < entries.length; i += 3) {
      this.counts[entries[i] * this.classes + entries[i + 1]] += entries[i + 2];
    }
  }

  quality(): SegmentationQuality {
    const { classes, counts } = this;
    const [truth, prediction] = [new Float64Array(classes), new Float64Array(classes)];
    counts.forEach((count, at) => {
      truth[Math.floor(at / classes)] += count;
      prediction[at % classes] += count;
    });
    const right = Array.from(truth, (_, index) => counts[index * (classes + 1)]);
    const classIoU = right.map((both, index) => {
      const either = truth[index] + prediction[index] - both;
      return either === 0 ? null : both / either;
    });
    const classAccuracy = right.map((both, index) => (truth[index] === 0 ? null : both / truth[index]));
    const pixels = sumOf(truth);
    return {
      classIoU,
      meanIoU: meanOf(classIoU),
      classAccuracy,
      meanAccuracy: meanOf(classAccuracy),
      pixelAccuracy: sumOf(right) / pixels,
      pixels,
    };
  }
}

/** An image and the label of each of its pixels, row-major; 255 where it is ignored. */
export interface SegmentedImage {
  readonly image: ImageInput;
  readonly classMap: ArrayLike<number>;
}

/**
 * Segments images like `Segmenter.segment` with default options, and compares with the labels.
 * @throws {Error} if an image cannot be read or its class map has another size; the signal's reason if it is aborted.
 */
export async function evaluateSegmenter(
  segmenter: Pick<Segmenter, 'segment' | 'metadata'>,
  images: AsyncIterable<SegmentedImage> | Iterable<SegmentedImage>,
  options: ConfusionOptions & { readonly signal?: AbortSignal } = {},
): Promise<SegmentationQuality> {
  checkOptions(options, 'evaluateSegmenter', { signal: abortSignal });
  const { signal, ...confusion } = options;
  const matrix = new ConfusionMatrix(segmenter.metadata.architecture.classes, confusion);
  for await (const { image, classMap } of images) {
    matrix.add(classMap, (await segmenter.segment(image, { signal })).classMap);
    await nextTask();
  }
  return matrix.quality();
}

function meanOf(values: readonly (number | null)[]): number {
  const there = values.filter((each) => each !== null);
  return sumOf(there) / there.length;
}

export function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
