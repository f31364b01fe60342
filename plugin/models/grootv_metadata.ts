/** What the converter writes into a GrootV model and what `GrootV` reads from it: `model.metadata` in tfjs. */
import type { Metric } from '../ops/edge_dissimilarity.js';
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

/** Stride of each of the two convolutions of the stem: 2 of GrootV, 1 of GG-SSM. */
export type StemStride = 1 | 2;

/** How the states of the blocks travel over the picture. Left out: what GrootV does, the first of each. */
export interface GrootVScan {
  /**
   * `tree`: along a spanning tree of the features. `raster`: along the rows, an ordinary recurrence. `cross`: the sum of
   * the recurrences along rows, columns, and both backwards, with one set of parameters.
   */
  readonly scan?: (typeof SCANS)[number];
  /** Of trees: the dissimilarity of the pixels that an edge joins, see `edgeDissimilarity`. */
  readonly metric?: Metric;
  /** Of trees: every block makes its own, or the first block of a stage makes that of the whole stage. */
  readonly trees?: (typeof TREES)[number];
  /** Of trees: a vertex sums all vertices, or those from which the way to the first pixel, the root, leads through it. */
  readonly aggregate?: (typeof AGGREGATES)[number];
}

/** The values of each. */
export const SCANS = ['tree', 'raster', 'cross'] as const;
export const METRICS = ['cosine', 'euclidean', 'manhattan'] as const satisfies readonly Metric[];
export const TREES = ['block', 'stage'] as const;
/** The paths of a cross scan, directions of `pathTree`; the first alone is that of a raster scan. */
export const SCAN_PATHS = ['row', 'column', 'row_reverse', 'column_reverse'] as const;
export const AGGREGATES = ['all', 'root'] as const;

/** The sizes of GrootV without a head: what all networks on it have. */
export interface GrootVTrunk extends GrootVScan {
  /**
   * `GrootV-T`, `-S` or `-B` for the published sizes, else `GrootV`, with a stem of stride 1 `GG-SSM` in its stead; of a
   * network with another head, ` + ` and its name.
   */
  readonly name: string;
  /** Channels of the first level; each further level has twice as many. */
  readonly channels: number;
  /** Blocks of each level. */
  readonly depths: readonly number[];
  /** Hidden channels of the MLPs over the channels of their level. */
  readonly mlpRatio: number;
  /** Whether the two branches of a block are scaled by learnt gamma1 and gamma2. */
  readonly layerScale: boolean;
  /** 2 where it is not there, as in models that were converted before. */
  readonly stemStride?: StemStride;
  /** Channels of the input; 3 where it is not there. */
  readonly inputChannels?: number;
}

/** Channels of the images that a network takes. */
export function inputChannelsOf({ inputChannels = 3 }: GrootVTrunk): number {
  return inputChannels;
}

/** Rows or columns of a level's grid, of an image that has so many: every stride of 2 halves and rounds up. */
export function gridSize(pixels: number, level: number, stemStride: StemStride = 2): number {
  let size = pixels;
  for (let halvings = level + (stemStride === 2 ? 2 : 0); halvings > 0; halvings--)
    size = Math.ceil(size / 2);
  return size;
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
  /** `any` where the model takes other than three, which nothing names. */
  readonly channels: 'RGB' | 'any';
  /** Values that the graph's `image` input takes. */
  readonly range: readonly [0, 255];
  /**
   * Taken out inside the graph, between `image` and `normalized`; of values from 0 to 1, one a channel. GG-SSM, and whatever
   * takes other than three channels, has a mean of 0 and a deviation of 1.
   */
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
 * What an exported `.safetensors` file says beside the weights: the side of the images of a classifier and the stride of
 * its stem; names and colours of classes as JSON; the configuration of a segmenter or detector, as mmsegmentation and
 * mmdetection write it; the scan, as JSON.
 */
export const EXPORTED = {
  imageSize: 'image_size',
  stemStride: 'stem_stride',
  classNames: 'class_names',
  palette: 'palette',
  config: 'config',
  scan: 'grootvl_scan',
} as const;

/** Side of the largest square that a model may ask for, pixels. */
export const MAX_IMAGE_SIZE = 4096;
export const MAX_CLASSES = 1_000_000;
const MAX_INPUT_CHANNELS = 4096;
const CHANNEL_VALUE = number(-1000, 1000);
/** A mean or a deviation: one number a channel. */
export const COLOUR_CHANNELS = listOf(CHANNEL_VALUE, 3, 3);
const INPUT_CHANNELS = listOf(CHANNEL_VALUE, 1, MAX_INPUT_CHANNELS);

/** Checks of {@link GrootVScan}. */
export const SCAN_FIELDS = {
  scan: optional(oneOf(...SCANS)),
  metric: optional(oneOf(...METRICS)),
  trees: optional(oneOf(...TREES)),
  aggregate: optional(oneOf(...AGGREGATES)),
} satisfies Record<keyof GrootVScan, Check>;
export const SCAN_NAMES = Object.keys(SCAN_FIELDS) as readonly (keyof GrootVScan)[];

/** Checks of {@link GrootVTrunk}, and of the count of parameters. */
export const TRUNK_FIELDS = {
  name: text(100),
  channels: integer(1, 65_536),
  depths: listOf(integer(1, 1000), 1, 16),
  mlpRatio: number(0, 1000),
  layerScale: boolean,
  stemStride: optional(oneOf(1, 2)),
  inputChannels: optional(integer(1, MAX_INPUT_CHANNELS)),
  ...SCAN_FIELDS,
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
    channels: oneOf('RGB', 'any'),
    range: optional(listOf(oneOf(0, 255), 2, 2)),
    mean: INPUT_CHANNELS,
    deviation: INPUT_CHANNELS,
  }),
  ...VISION_FIELDS,
});

/** What untrusted metadata may hold. */
export const GROOTV_METADATA: Check = (value, name) => {
  SCHEMA(value, name);
  const { architecture, preprocessing, classNames } = value as GrootVMetadata;
  checkOnePerClass(classNames, architecture.classes, `${name}.classNames`, 'names');
  const channels = inputChannelsOf(architecture);
  const values = listOf(CHANNEL_VALUE, channels, channels);
  for (const part of ['mean', 'deviation'] as const)
    values(preprocessing[part], `${name}.preprocessing.${part}`);
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
