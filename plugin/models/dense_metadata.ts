/** What models of dense prediction, segmentation and detection, say of their pictures and classes. */
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

/** How a picture becomes the input of the model, as the test pipelines of mmsegmentation and mmdetection do it. */
export interface DensePreprocessing {
  /** The picture is resized to the largest size whose long and short side stay within these, pixels. */
  readonly scale: readonly [long: number, short: number];
  readonly keepRatio: true;
  readonly resampling: 'opencv-bilinear';
  readonly channels: 'RGB';
  /** Values that the graph's `image` input takes. */
  readonly range: readonly [0, 255];
  /** Taken out inside the graph, between `image` and `normalized`; of values from 0 to 1. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** A second resize, to the next multiples of this, without keeping the ratio; null for none. */
  readonly multipleOf: number | null;
  /** Zeros after normalisation, right and bottom, to multiples of this; 1 for none. */
  readonly padTo: number;
}

/** The LayerNorm over a level's features that is applied for the heads alone. */
export interface OutputNormalization {
  /** Levels that have one. */
  readonly levels: readonly number[];
  /** Added to the variance: 1e-5 for `outnorm<l>`, 1e-6 for `outnorm<l>.0`. */
  readonly epsilon: number;
}

/** The sizes that segmenters and detectors share. */
export interface DenseTrunk extends GrootVTrunk {
  readonly outputNormalization: OutputNormalization | null;
  readonly classes: number;
}

/** What the metadata of segmenters and detectors share. */
export interface DenseMetadata extends VisionMetadata {
  readonly preprocessing: DensePreprocessing;
  /** One colour a class; null when they are not known. */
  readonly palette: readonly Colour[] | null;
}

/** Largest side that a picture may be resized or padded to, pixels. */
export const MAX_DENSE_SIDE = 16_384;
/** Pixels of the multiples to which sizes are rounded up. */
const MAX_MULTIPLE = 1024;
/** Classes of one model. Every class has a map of the picture. */
export const MAX_DENSE_CLASSES = 65_536;

/** A side of a picture or of a window, pixels. */
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
 * The check of a segmenter's or detector's metadata.
 * @param architecture fields beside those of {@link DenseTrunk}
 * @param more fields beside those of {@link DenseMetadata}
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
