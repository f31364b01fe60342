/** Segmenter: a converted model that classifies every pixel. */
import { slice, type Tensor4D } from '@tensorflow/tfjs-core';
import { classMapOf, type LogitWindow, windowStarts } from '../image/class_map.js';
import { type ClassShare, drawSegmentation } from '../image/draw_segmentation.js';
import type { DenseInput, ImageInput } from '../image/input.js';
import type { Rectangle } from '../image/resample.js';
import type { RgbImage } from '../image/rgb_image.js';
import { aFunction, options as checkOptions, listOf, oneOf } from './checks.js';
import { SIDE } from './dense_metadata.js';
import { DENSE_OPTIONS, DenseModel, type DenseOptions } from './dense_model.js';
import { checkShape, loadImageModel, runGraph, valuesOf } from './image_model.js';
import type { LoadedModel } from './loaded_model.js';
import { readMetadata } from './metadata.js';
import type { LoadOptions, ModelSource } from './model_files.js';
import { checkInference, SEGMENTER_METADATA, type SegmenterMetadata } from './segmenter_metadata.js';

export interface SegmentOptions extends DenseOptions {
  /** `whole`: the image at once. `slide`: window by window. Default: according to `metadata.inference`. */
  readonly mode?: 'whole' | 'slide';
  /**
   * Size of windows in pixels of the prepared image. Default: according to `metadata.inference`, else a square of the short
   * side of `metadata.preprocessing.scale`.
   */
  readonly cropSize?: readonly [height: number, width: number];
  /** Step between windows. Default: according to `metadata.inference`, else two thirds of `cropSize`. */
  readonly stride?: readonly [height: number, width: number];
  /** Called after each window with the fraction done, from 0 to 1. */
  readonly onProgress?: (
    fraction: number,
    progress: { readonly done: number; readonly total: number },
  ) => void;
}

/** The classes of an image's pixels. */
export interface Segmentation {
  /** Size of the given image in pixels. */
  readonly width: number;
  readonly height: number;
  /** uint16 [height, width], row-major: the class of each pixel. */
  readonly classMap: Uint16Array;
  /** The classes present in the image, by descending share. */
  readonly classes: readonly ClassShare[];
  /** With `overlay: true`: 1120 pixels on the long side, with a legend below. */
  readonly overlay?: RgbImage;
}

const WINDOW = listOf(SIDE, 2, 2);
const OPTIONS = {
  mode: oneOf('whole', 'slide'),
  cropSize: WINDOW,
  stride: WINDOW,
  onProgress: aFunction,
  ...DENSE_OPTIONS,
};

/** A converted segmenter (UperNet on GrootV). */
export class Segmenter extends DenseModel<SegmenterMetadata> {
  /**
   * Loads a model that was written by `convertCheckpoint` or `save`.
   * @param source URL of its model.json (also `indexeddb://name`), any IOHandler such as `tf.io.http(url, options)` or
   *   `fileSystem(dir)` of `tfjs-grootvl/node`, or a `MemorySink`.
   * @throws {Error} one line, if it cannot be loaded or is not a segmenter; the signal's reason if it is aborted.
   */
  static load(source: ModelSource, options: LoadOptions = {}): Promise<Segmenter> {
    return loadImageModel('Segmenter.load', source, options, Segmenter.of);
  }

  protected readonly className = 'Segmenter';

  /** @internal */
  static of(method: string, model: LoadedModel): Segmenter {
    return new Segmenter(
      model,
      readMetadata<SegmenterMetadata>(method, model, 'GrootV-UperNet', SEGMENTER_METADATA),
    );
  }

  /**
   * Classifies every pixel of an image.
   * @param image an image as for `GrootV.classify`, of any size. It is resized according to `metadata.preprocessing`, unless
   *   `prepare: false`; the result has the size of the given image.
   * @throws {Error} one line, if the model has been disposed, an option is invalid, or the image cannot be read or is too
   *   large for the memory; the signal's reason if it is aborted.
   */
  async segment(image: ImageInput, options: SegmentOptions = {}): Promise<Segmentation> {
    const method = 'Segmenter.segment';
    checkOptions(options, method, OPTIONS);
    const windowsOf = this.windows(options);
    return this.withImage(
      method,
      image,
      options,
      (extent) => windowsOf(extent)[0],
      async (given) => {
        const { classes } = this.metadata.architecture;
        const [, height, width] = given.input.shape;
        const windows = await this.logits(given, windowsOf({ height, width }), options);
        const classMap = await classMapOf(windows, classes, { height, width }, given.image, options);
        const shares = classShares(classMap, this.classNames);
        const result = { width: given.image.width, height: given.image.height, classMap, classes: shares };
        if (options.overlay !== true) return result;
        const image = { image: given.image, classMap, classes: shares, colours: this.colours };
        return { ...result, overlay: drawSegmentation(image) };
      },
    );
  }

  /** Returns a function that places windows on a network input. */
  private windows(options: SegmentOptions): (extent: { height: number; width: number }) => Rectangle[] {
    const { inference, preprocessing } = this.metadata;
    const mode = options.mode ?? inference.mode;
    if (mode === 'whole') return (extent) => [{ left: 0, top: 0, ...extent }];
    const short = preprocessing.scale[1];
    const cropSize = options.cropSize ?? inference.cropSize ?? ([short, short] as const);
    const twoThirds = cropSize.map((side) => Math.max(1, Math.floor((2 * side) / 3)));
    const own = options.cropSize === undefined ? inference.stride : null;
    const stride = options.stride ?? own ?? (twoThirds as [number, number]);
    checkInference({ mode, cropSize, stride }, 'Segmenter.segment');
    return (extent) => {
      const [height, width] = [Math.min(cropSize[0], extent.height), Math.min(cropSize[1], extent.width)];
      const lefts = windowStarts(extent.width, cropSize[1], stride[1]);
      return windowStarts(extent.height, cropSize[0], stride[0]).flatMap((top) =>
        lefts.map((left) => ({ left, top, width, height })),
      );
    };
  }

  private async logits(
    { input, node }: DenseInput,
    windows: readonly Rectangle[],
    { signal, onProgress }: SegmentOptions,
  ): Promise<LogitWindow[]> {
    const { classes } = this.metadata.architecture;
    const done: LogitWindow[] = [];
    for (const window of windows) {
      signal?.throwIfAborted();
      const { left, top, width, height } = window;
      const part: Tensor4D = slice(input, [0, top, left, 0], [1, height, width, 3]);
      try {
        const [logits] = await runGraph(this.model, { [node]: part }, ['logits']);
        const [, rows, columns] = logits.shape;
        const [values] = await valuesOf([logits], () => checkShape('logits', logits, [1, -1, -1, classes]));
        done.push({ ...window, rows, columns, logits: values as Float32Array });
      } finally {
        part.dispose();
      }
      onProgress?.(done.length / windows.length, { done: done.length, total: windows.length });
    }
    return done;
  }
}

/** Returns the classes of a map and their shares, by descending share, ties by index. */
function classShares(classMap: Uint16Array, names: readonly string[]): ClassShare[] {
  const counts = new Uint32Array(names.length);
  for (const index of classMap) counts[index]++;
  return names
    .map((label, index) => ({ index, label, share: counts[index] / classMap.length }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share || a.index - b.index);
}
