/** Metadata of dense prediction models (segmentation and detection): preprocessing and classes. */
import { type Check, integer, listOf, nullable, number, oneOf, optional, record } from './checks.js';
import {
  COLOUR_CHANNELS,
  checkOnePerClass,
  type GrootVTrunk,
  TRUNK_FIELDS,
  VISION_FIELDS,
  type VisionMetadata,
} from './grootv_metadata.js';

/** Red, green and blue from 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** How an image becomes the input of the model, as in the test pipelines of mmsegmentation and mmdetection. */
export interface DensePreprocessing {
  /** The image is resized to the largest size whose long and short side do not exceed these, in pixels. */
  readonly scale: readonly [long: number, short: number];
  readonly keepRatio: true;
  readonly resampling: 'opencv-bilinear';
  readonly channels: 'RGB';
  /** Range of values of the graph's `image` input. */
  readonly range: readonly [0, 255];
  /**
   * Mean that is subtracted and deviation that is divided by inside the graph, between `image` and `normalized`; for values
   * from 0 to 1.
   */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** A second resize, to the next multiples of this, without preserving the aspect ratio; null for none. */
  readonly multipleOf: number | null;
  /** Zero padding after normalisation, on the right and at the bottom, to multiples of this; 1 for none. */
  readonly padTo: number;
}

/** The LayerNorm of a level's features that is applied only for the heads. */
export interface OutputNormalization {
  /** Levels that have one. */
  readonly levels: readonly number[];
  /** Added to the variance: 1e-5 for `outnorm<l>`, 1e-6 for `outnorm<l>.0`. */
  readonly epsilon: number;
}

/** Architecture fields that segmenters and detectors share. */
export interface DenseTrunk extends GrootVTrunk {
  readonly outputNormalization: OutputNormalization | null;
  readonly classes: number;
}

/** Metadata that segmenters and detectors share. */
export interface DenseMetadata extends VisionMetadata {
  readonly preprocessing: DensePreprocessing;
  /** One colour per class; null if unknown. */
  readonly palette: readonly Colour[] | null;
}

/** Longest side to which an image may be resized or padded, in pixels. */
const MAX_DENSE_SIDE = 16_384;
/** Upper bound of the multiples to which sizes are rounded up, in pixels. */
const MAX_MULTIPLE = 1024;
/** Maximum number of classes. The model outputs a map per class. */
const MAX_DENSE_CLASSES = 65_536;

/** A side of an image or of a window, in pixels. */
export const SIDE = integer(1, MAX_DENSE_SIDE);
/** A number from 0 to 1. */
export const FRACTION = number(0, 1);

const PREPROCESSING = record({
  scale: listOf(SIDE, 2, 2),
  keepRatio: oneOf(true),
  resampling: oneOf('opencv-bilinear'),
  channels: oneOf('RGB'),
  range: optional(listOf(oneOf(0, 255), 2, 2)),
  mean: COLOUR_CHANNELS,
  deviation: COLOUR_CHANNELS,
  multipleOf: nullable(integer(1, MAX_MULTIPLE)),
  padTo: integer(1, MAX_MULTIPLE),
});

const OUTPUT_NORMALIZATION = record({
  levels: listOf(integer(0, 15), 1, 16),
  epsilon: number(0, 1),
});

/**
 * Returns the check of a segmenter's or detector's metadata.
 * @param architecture fields in addition to those of {@link DenseTrunk}
 * @param more fields in addition to those of {@link DenseMetadata}
 */
export function denseCheck(
  family: string,
  architecture: Readonly<Record<string, Check>>,
  more: Readonly<Record<string, Check>>,
): Check {
  const schema = record({
    architecture: record({
      family: oneOf(family),
      ...TRUNK_FIELDS,
      outputNormalization: optional(nullable(OUTPUT_NORMALIZATION)),
      classes: integer(1, MAX_DENSE_CLASSES),
      ...architecture,
    }),
    preprocessing: PREPROCESSING,
    ...VISION_FIELDS,
    palette: nullable(listOf(listOf(integer(0, 255), 3, 3), 0, MAX_DENSE_CLASSES)),
    ...more,
  });
  return (value, name) => {
    schema(value, name);
    const { architecture, classNames, palette, preprocessing } = value as DenseMetadata & {
      readonly architecture: DenseTrunk;
    };
    checkOnePerClass(classNames, architecture.classes, `${name}.classNames`, 'names');
    checkOnePerClass(palette, architecture.classes, `${name}.palette`, 'colours');
    const [long, short] = preprocessing.scale;
    if (long < short) {
      throw new Error(`${name}.preprocessing.scale is [${long}, ${short}], expected the long side first`);
    }
    if (preprocessing.deviation.some((deviation) => deviation === 0)) {
      throw new Error(`${name}.preprocessing.deviation has a 0, expected numbers to divide by`);
    }
  };
}
