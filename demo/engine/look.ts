/** Runs an image model on an image. */
import { transfer } from 'comlink';
import {
  type ClassShare,
  type DetectionDrawing,
  Detector,
  drawDetections,
  drawSegmentation,
  GrootV,
  type Prediction,
  type Rgb,
  Segmenter,
} from 'tfjs-grootvl';
import { openedModel } from './library.js';
import { bitmapOf, decode, rgbOf } from './pixels.js';

/** The properties of the open model that the page needs. */
export type ImageModel =
  | {
      readonly kind: 'classifier';
      /** 0 for a backbone, which only has features. */
      readonly classes: number;
      /** Blocks per level. */
      readonly depths: readonly number[];
      readonly scan: 'tree' | 'raster' | 'cross';
    }
  | { readonly kind: 'segmenter' }
  | { readonly kind: 'detector' };

/** Pixel classes of an image. The receiver must close the bitmaps. */
export interface SegmentedImage {
  readonly image: ImageBitmap;
  readonly overlay: ImageBitmap;
  readonly classes: readonly (ClassShare & { readonly colour: Rgb })[];
  readonly milliseconds: number;
}

/** The objects in an image, in descending order of the score; `drawObjects` draws them. */
export interface DetectedImage {
  readonly objects: readonly {
    readonly label: string;
    readonly score: number;
    readonly colour: Rgb;
    /** In pixels of the displayed image. */
    readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  }[];
  readonly milliseconds: number;
}

/** The open model, or undefined if it is not an image model. @throws {Error} if none is open */
async function describeImageModel(): Promise<ImageModel | undefined> {
  const model = openedModel();
  if (model instanceof Segmenter) return { kind: 'segmenter' };
  if (model instanceof Detector) return { kind: 'detector' };
  if (!(model instanceof GrootV)) return undefined;
  const { classes, depths, scan = 'tree' } = model.metadata.architecture;
  return { kind: 'classifier', classes, depths, scan };
}

/** The most probable classes, in descending order, and the time in milliseconds. */
async function classify(
  file: Blob,
  top: number,
  signal?: AbortSignal,
): Promise<{ predictions: Prediction[]; milliseconds: number }> {
  const model = openedModel();
  if (!(model instanceof GrootV)) throw new Error('the open model does not classify images');
  const started = performance.now();
  const [predictions] = await model.classify(file, { top, signal });
  return { predictions, milliseconds: performance.now() - started };
}

/** The class of every pixel. */
async function segment(file: Blob, signal?: AbortSignal): Promise<SegmentedImage> {
  const model = openedModel();
  if (!(model instanceof Segmenter)) throw new Error('the open model does not segment images');
  const { bitmap } = await decode(file);
  try {
    const image = rgbOf(bitmap);
    const started = performance.now();
    const { classMap, classes } = await model.segment(image, { signal });
    const milliseconds = performance.now() - started;
    const { colours } = model;
    const overlay = await bitmapOf(drawSegmentation({ image, classMap, classes, colours, legend: false }));
    const shares = classes.map((each) => ({ ...each, colour: colours[each.index] }));
    return transfer({ image: bitmap, overlay, classes: shares, milliseconds }, [bitmap, overlay]);
  } catch (error) {
    bitmap.close();
    throw error;
  }
}

/** Objects with a lower score are dropped. */
const LEAST_SCORE = 0.05;

/** The most recent detections. */
let detected: DetectionDrawing | undefined;

/** The objects in an image, which the engine keeps for `drawObjects`. */
async function detect(file: Blob, signal?: AbortSignal): Promise<DetectedImage> {
  const model = openedModel();
  if (!(model instanceof Detector)) throw new Error('the open model does not detect objects');
  const { bitmap } = await decode(file);
  const image = rgbOf(bitmap);
  bitmap.close();
  const started = performance.now();
  const options = { scoreThreshold: LEAST_SCORE, masks: 'bitmap', signal } as const;
  const { detections } = await model.detect(image, options);
  const milliseconds = performance.now() - started;
  const { colours } = model;
  detected = { image, detections, colours };
  const objects = detections.map(({ label, score, box, index }) => ({
    ...{ label, score, box },
    colour: colours[index],
  }));
  return { objects, milliseconds };
}

/** The objects of the last `detect` with a score of at least `threshold`, drawn over their image. */
async function drawObjects(threshold: number): Promise<ImageBitmap | undefined> {
  if (!detected) return undefined;
  const detections = detected.detections.filter(({ score }) => score >= threshold);
  const bitmap = await bitmapOf(drawDetections({ ...detected, detections }));
  return transfer(bitmap, [bitmap]);
}

export const calls = { describeImageModel, classify, segment, detect, drawObjects };
