/** What the converter writes into a GrootV model and what `GrootV` reads from it: `model.metadata` in tfjs. */
import {
  boolean,
  type Check,
  integer,
  listOf,
  nullable,
  number,
  oneOf,
  optional,
  record,
  text,
} from './checks.js';

/** The sizes of GrootV without a head: what all networks on it have. */
export interface GrootVTrunk {
  /** `GrootV-T`, `-S` or `-B` for the published sizes, else `GrootV`; of a network with another head, ` + ` and its name. */
  readonly name: string;
  /** Channels of the first level; each further level has twice as many. */
  readonly channels: number;
  /** Blocks of each level. */
  readonly depths: readonly number[];
  /** Hidden channels of the MLPs over the channels of their level. */
  readonly mlpRatio: number;
  /** Whether the two branches of a block are scaled by learnt gamma1 and gamma2. */
  readonly layerScale: boolean;
}

/** The sizes of a GrootV network (GrootVL, section 3.3). */
export interface GrootVArchitecture extends GrootVTrunk {
  /** Classes of the head; 0 without one. */
  readonly classes: number;
  /** Whether there is a convolution between the last level and the pooling; a bare backbone has none. */
  readonly convolutionHead: boolean;
}

/** How an image becomes the input of the model, as the authors' evaluation does it. */
export interface Preprocessing {
  /** Side of the square that is cropped, pixels. */
  readonly size: number;
  readonly resize: 'short-side';
  readonly resampling: 'bicubic';
  readonly crop: 'centre';
  readonly channels: 'RGB';
  /** Values that the graph's `image` input takes. */
  readonly range: readonly [0, 255];
  /** Taken out inside the graph, between `image` and `normalized`; of values from 0 to 1. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** What the metadata of every vision model say. */
export interface VisionMetadata {
  /** One name a class; null when they are not known. */
  readonly classNames: readonly string[] | null;
  readonly source: { readonly file: string; readonly sha256: string; readonly weights: string };
  readonly quantization: string;
  /** Nodes that may be asked for beside the outputs. */
  readonly nodes: readonly string[];
  readonly converter: { readonly name: 'tfjs-grootvl'; readonly version: string };
}

/** `userDefinedMetadata` of model.json. */
export interface GrootVMetadata extends VisionMetadata {
  readonly architecture: GrootVArchitecture & { readonly family: 'GrootV'; readonly parameters: number };
  readonly preprocessing: Preprocessing;
}

/**
 * What an exported `.safetensors` file says beside the weights: the side of the images of a classifier; names and colours
 * of classes as JSON; the configuration of a segmenter or detector, as mmsegmentation and mmdetection write it.
 */
export const EXPORTED = {
  imageSize: 'image_size',
  classNames: 'class_names',
  palette: 'palette',
  config: 'config',
} as const;

/** Side of the largest square that a model may ask for, pixels. */
export const MAX_IMAGE_SIZE = 4096;
export const MAX_CLASSES = 1_000_000;
/** A mean or a deviation: one number a channel. */
export const COLOUR_CHANNELS = listOf(number(-1000, 1000), 3, 3);

/** Checks of {@link GrootVTrunk}, and of the count of parameters. */
export const TRUNK_FIELDS = {
  name: text(100),
  channels: integer(1, 65_536),
  depths: listOf(integer(1, 1000), 1, 16),
  mlpRatio: number(0, 1000),
  layerScale: boolean,
  parameters: optional(integer(0)),
};

/** Checks of {@link VisionMetadata}. */
export const VISION_FIELDS = {
  classNames: nullable(listOf(text(1000), 0, MAX_CLASSES)),
  source: optional(
    record({ file: optional(text(1000)), sha256: optional(text(100)), weights: optional(text(1000)) }),
  ),
  quantization: optional(text(100)),
  nodes: optional(listOf(text(1000), 0, 200_000)),
  converter: optional(record({ name: text(100), version: text(100) })),
};

const SCHEMA = record({
  architecture: record({
    family: oneOf('GrootV'),
    ...TRUNK_FIELDS,
    classes: integer(0, MAX_CLASSES),
    convolutionHead: boolean,
  }),
  preprocessing: record({
    size: integer(1, MAX_IMAGE_SIZE),
    resize: oneOf('short-side'),
    resampling: oneOf('bicubic'),
    crop: oneOf('centre'),
    channels: oneOf('RGB'),
    range: optional(listOf(oneOf(0, 255), 2, 2)),
    mean: COLOUR_CHANNELS,
    deviation: COLOUR_CHANNELS,
  }),
  ...VISION_FIELDS,
});

/** What untrusted metadata may hold. */
export const GROOTV_METADATA: Check = (value, name) => {
  SCHEMA(value, name);
  const { architecture, classNames } = value as GrootVMetadata;
  checkOnePerClass(classNames, architecture.classes, `${name}.classNames`, 'names');
};

/** @throws {Error} when a list is there and has other than one item a class */
export function checkOnePerClass(
  list: readonly unknown[] | null,
  classes: number,
  name: string,
  what: string,
): void {
  if (list === null || list.length === classes) return;
  throw new Error(`${name} has ${list.length} ${what}, expected one for each of ${classes} classes`);
}
