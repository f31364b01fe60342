/** How good a segmenter is on pictures whose classes are known: the measures of mmsegmentation. */
import type { ImageInput } from '../image/input.js';
import { abortSignal, options as checkOptions, integer } from '../models/checks.js';
import type { Segmenter } from '../models/segmenter.js';
import { nextTask } from '../next_task.js';

/** The class of pixels that do not count, as data sets for segmentation have it. */
export const IGNORED_PIXEL = 255;

export interface ConfusionOptions {
  /** The class of pixels that do not count, whatever is predicted there; default 255. */
  readonly ignoreIndex?: number;
}

export interface SegmentationQuality {
  /** Of each class: pixels that have it in truth and prediction, over those that have it in one or both. null: none has. */
  readonly classIoU: readonly (number | null)[];
  /** Mean of the classes that are there; NaN without any pixel. */
  readonly meanIoU: number;
  /** Of each class: pixels that have it in truth and prediction, over those that have it in truth. null: none has. */
  readonly classAccuracy: readonly (number | null)[];
  /** Mean of the classes that are there in truth. */
  readonly meanAccuracy: number;
  /** Share of the pixels whose class is right. */
  readonly pixelAccuracy: number;
  /** Pixels that count. */
  readonly pixels: number;
}

/** Counts how often each class was taken for each. The sums of all pictures are compared, not means of pictures. */
export class ConfusionMatrix {
  /** float64 [classes, classes], row-major: pixels by true class and predicted class. */
  readonly counts: Float64Array;
  private readonly ignoreIndex: number;

  /** @throws {Error} when an option is not as described */
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
   * @throws {Error} when there are not as many of both, or a class is not below `classes`; then nothing has been added
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

  /** The counts that are not 0, to be sent elsewhere: true class, predicted class and count of each in turn. */
  entries(): number[] {
    const { classes, counts } = this;
    const entries: number[] = [];
    for (let at = 0; at < counts.length; at++) {
      if (counts[at] > 0) entries.push(Math.floor(at / classes), at % classes, counts[at]);
    }
    return entries;
  }

  /**
   * Adds the {@link entries} of another matrix.
   * @throws {Error} when they are not as described; then nothing has been added
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

/** A picture and the class of each of its pixels, row-major; 255 where it does not count. */
export interface SegmentedPicture {
  readonly image: ImageInput;
  readonly classMap: ArrayLike<number>;
}

/**
 * Segments pictures as `Segmenter.segment` does by default, and compares.
 * @throws {Error} for a picture that cannot be read or whose class map is of another size; the signal's reason when it is
 *   aborted
 */
export async function evaluateSegmenter(
  segmenter: Pick<Segmenter, 'segment' | 'metadata'>,
  pictures: AsyncIterable<SegmentedPicture> | Iterable<SegmentedPicture>,
  options: ConfusionOptions & { readonly signal?: AbortSignal } = {},
): Promise<SegmentationQuality> {
  checkOptions(options, 'evaluateSegmenter', { signal: abortSignal });
  const { signal, ...confusion } = options;
  const matrix = new ConfusionMatrix(segmenter.metadata.architecture.classes, confusion);
  for await (const { image, classMap } of pictures) {
    matrix.add(classMap, (await segmenter.segment(image, { signal })).classMap);
    await nextTask();
  }
  return matrix.quality();
}

function meanOf(values: readonly (number | null)[]): number {
  const there = values.filter((each) => each !== null);
  return sumOf(there) / there.length;
}

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
