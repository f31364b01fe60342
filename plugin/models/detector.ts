/** Detector: a converted model that finds objects and the pixels of each. */
import { dispose, type Tensor, tensor1d } from '@tensorflow/tfjs-core';
import { drawDetections } from '../image/draw_detections.js';
import { type DenseInput, type ImageInput, NOT_FINITE } from '../image/input.js';
import { encodeRle, type MaskBitmap, maskPolygons, type RunLengths } from '../image/mask.js';
import type { Extent } from '../image/prepare.js';
import type { RgbImage } from '../image/rgb_image.js';
import { pasteMask } from '../ops/paste_masks.js';
import { options as checkOptions, integer, oneOf } from './checks.js';
import { FRACTION } from './dense_metadata.js';
import { DENSE_OPTIONS, DenseModel, type DenseOptions } from './dense_model.js';
import { DETECTOR_METADATA, type DetectorMetadata } from './detector_metadata.js';
import { checkShape, loadImageModel, runGraph, valuesOf } from './image_model.js';
import type { LoadedModel } from './loaded_model.js';
import { readMetadata } from './metadata.js';
import type { LoadOptions, ModelSource } from './model_files.js';

/** Formats of masks. */
export interface MaskFormats {
  readonly none: undefined;
  /** The pixels of the part of the image that contains the object. */
  readonly bitmap: MaskBitmap;
  /** COCO's compressed run-length encoding. */
  readonly rle: RunLengths & { readonly counts: string };
  /** Contours as alternating x and y of their corners; filling them by the even-odd rule gives the pixels. */
  readonly polygon: number[][];
}

export interface DetectOptions<Format extends keyof MaskFormats = keyof MaskFormats> extends DenseOptions {
  /** Minimum score (exclusive). Objects below `metadata.testing.scoreThreshold`, the default, are never found. */
  readonly scoreThreshold?: number;
  /** Maximum number of objects; the best are returned. Default and upper limit: `metadata.testing.maxDetections`. */
  readonly maxDetections?: number;
  /** Format of masks. Default `none`: the mask head of the network is skipped. */
  readonly masks?: Format;
}

/** A detected object. */
export interface Detection<Format extends keyof MaskFormats = keyof MaskFormats> {
  /** Left, top, right and bottom in pixels of the given image, not rounded. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly label: string;
  /** Index of the class, from 0. */
  readonly index: number;
  /** From 0 to 1. */
  readonly score: number;
  /** Present if `masks` asks for it. */
  readonly mask?: MaskFormats[Format];
}

/** The objects found in an image. */
export interface DetectedObjects<Format extends keyof MaskFormats = keyof MaskFormats> {
  /** Size of the given image in pixels. */
  readonly width: number;
  readonly height: number;
  /** By descending score. */
  readonly detections: readonly Detection<Format>[];
  /** With `overlay: true`: the image with boxes and labels, and with masks unless `masks` is `none`. */
  readonly overlay?: RgbImage;
}

const OPTIONS = {
  scoreThreshold: FRACTION,
  maxDetections: integer(1),
  masks: oneOf('none', 'bitmap', 'rle', 'polygon'),
  ...DENSE_OPTIONS,
};

const FORMATS: {
  [Format in keyof MaskFormats]: (mask: MaskBitmap, image: Extent) => MaskFormats[Format];
} = {
  none: () => undefined,
  bitmap: (mask) => mask,
  rle: encodeRle,
  polygon: maskPolygons,
};

/** A converted detector (Mask R-CNN on GrootV or UIS-Mamba). */
export class Detector extends DenseModel<DetectorMetadata> {
  /**
   * Loads a model that was written by `convertCheckpoint` or `save`.
   * @param source URL of its model.json (also `indexeddb://name`), any IOHandler such as `tf.io.http(url, options)` or
   *   `fileSystem(dir)` of `tfjs-grootvl/node`, or a `MemorySink`.
   * @throws {Error} one line, if it cannot be loaded or is not a detector; the signal's reason if it is aborted.
   */
  static load(source: ModelSource, options: LoadOptions = {}): Promise<Detector> {
    return loadImageModel('Detector.load', source, options, Detector.of);
  }

  protected readonly className = 'Detector';

  /** @internal */
  static of(method: string, model: LoadedModel): Detector {
    return new Detector(
      model,
      readMetadata<DetectorMetadata>(method, model, 'GrootV-MaskRCNN', DETECTOR_METADATA),
    );
  }

  /**
   * Finds the objects in an image.
   * @param image an image as for `GrootV.classify`, of any size. It is resized and padded according to
   *   `metadata.preprocessing`, unless `prepare: false`; boxes and masks are in pixels of the given image.
   * @throws {Error} one line, if the model has been disposed, an option is invalid, or the image cannot be read or is too
   *   large for the memory; the signal's reason if it is aborted.
   */
  async detect<Format extends keyof MaskFormats = 'none'>(
    image: ImageInput,
    options: DetectOptions<Format> = {},
  ): Promise<DetectedObjects<Format>> {
    const method = 'Detector.detect';
    checkOptions(options, method, OPTIONS);
    const format = options.masks ?? ('none' as Format);
    return this.withImage(
      method,
      image,
      options,
      (extent) => extent,
      async (given) => {
        const { width, height } = given.image;
        const detections: Detection<Format>[] = [];
        const drawn: Detection<'bitmap'>[] = [];
        for (const { mask, ...found } of await this.run(given, options)) {
          options.signal?.throwIfAborted();
          const bitmap = mask?.();
          detections.push(bitmap ? { ...found, mask: FORMATS[format](bitmap, given.image) } : found);
          if (options.overlay) drawn.push({ ...found, mask: bitmap });
        }
        if (!options.overlay) return { width, height, detections };
        const image = { image: given.image, detections: drawn, colours: this.colours };
        return { width, height, detections, overlay: drawDetections(image) };
      },
    );
  }

  /** Runs the graph. Masks are returned as functions that paste them, since all masks of a large image need much memory. */
  private async run(given: DenseInput, options: DetectOptions): Promise<Found[]> {
    const { testing } = this.metadata;
    const { scoreThreshold = testing.scoreThreshold, maxDetections = testing.maxDetections } = options;
    const hasMasks = (options.masks ?? 'none') !== 'none';
    const inputs = {
      [given.node]: given.input,
      image_shape: tensor1d([given.content.height, given.content.width], 'int32'),
      scale_factor: tensor1d([...given.scaleFactor]),
    };
    const nodes = ['boxes', 'scores', 'classes', ...(hasMasks ? ['masks'] : [])];
    let outputs: Tensor[];
    try {
      outputs = await runGraph(this.model, inputs, nodes);
    } finally {
      dispose([inputs.image_shape, inputs.scale_factor]);
    }
    const size = (outputs[3]?.shape.slice(1) ?? []) as [number, number];
    const [boxes, scores, classes, probabilities] = await valuesOf(outputs, () => {
      const count = outputs[1].size;
      for (const [i, shape] of [[count, 4], [count], [count], [count, -1, -1]].entries()) {
        if (outputs[i]) checkShape(nodes[i], outputs[i], shape);
      }
    });
    if (![boxes, scores].every((values) => values.every(Number.isFinite))) throw new Error(NOT_FINITE);
    const names = this.classNames;
    const unknown = classes.find((index) => names[index] === undefined);
    if (unknown !== undefined) {
      throw new Error(`the model answers class ${unknown}, expected 0 to ${names.length - 1}`);
    }
    const found = Array.from(scores, (score, i): Found => {
      const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4);
      const [index, pixels] = [classes[i], size[0] * size[1]];
      const box = [x1, y1, x2, y2] as const;
      if (!hasMasks) return { box, label: names[index], index, score };
      const own = probabilities.subarray(i * pixels, (i + 1) * pixels) as Float32Array;
      const mask = () => {
        const { values, ...place } = pasteMask(own, size, box, given.image);
        return { ...place, data: atLeast(values, testing.maskThreshold) };
      };
      return { box, label: names[index], index, score, mask };
    });
    return found.filter(({ score }) => score > scoreThreshold).slice(0, maxDetections);
  }
}

/** Returns 1 where a value is at least the threshold, else 0. A loop, because `Uint8Array.from` takes ten times as long. */
function atLeast(values: Float32Array, threshold: number): Uint8Array {
  const data = new Uint8Array(values.length);
  for (let i = 0; i < data.length; i++) data[i] = values[i] >= threshold ? 1 : 0;
  return data;
}

/** A detection whose mask has not been pasted yet. */
type Found = Omit<Detection, 'mask'> & { readonly mask?: () => MaskBitmap };
