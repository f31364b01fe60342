/** Metadata of GrootV models, written by the converter and read by `GrootV`: `model.metadata` in tfjs. */
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

/** Stride of each of the two convolutions of the stem: 2 for GrootV, 1 for GG-SSM. */
export type StemStride = 1 | 2;

/**
 * How the states of the blocks are propagated over the image. Missing fields have the first value of each, which is
 * GrootV's.
 */
export interface GrootVScan {
  /**
   * `tree`: along a spanning tree of the features. `raster`: along the rows, an ordinary recurrence. `cross`: the sum of the
   * recurrences along rows, columns, and both backwards, with shared parameters.
   */
  readonly scan?: (typeof SCANS)[number];
  /** For trees: the dissimilarity of the pixels that an edge joins, see `edgeDissimilarity`. */
  readonly metric?: Metric;
  /** For trees: every block builds its own, or the first block of a stage builds that of the whole stage. */
  readonly trees?: (typeof TREES)[number];
  /** For trees: a vertex sums all vertices, or only its subtree, with the first pixel as the root. */
  readonly aggregate?: (typeof AGGREGATES)[number];
}

/** The allowed values of each. */
export const SCANS = ['tree', 'raster', 'cross'] as const;
export const METRICS = ['cosine', 'euclidean', 'manhattan'] as const satisfies readonly Metric[];
export const TREES = ['block', 'stage'] as const;
/** The paths of a cross scan, as directions of `pathTree`; the first is also that of a raster scan. */
export const SCAN_PATHS = ['row', 'column', 'row_reverse', 'column_reverse'] as const;
export const AGGREGATES = ['all', 'root'] as const;

/** Architecture of GrootV without a head, shared by all networks built on it. */
export interface GrootVTrunk extends GrootVScan {
  /**
   * `GrootV-T`, `-S` or `-B` for the published sizes, otherwise `GrootV`, or `GG-SSM` if the stem has stride 1; with another
   * head, followed by ` + ` and its name.
   */
  readonly name: string;
  /** Channels of the first level; each further level has twice as many. */
  readonly channels: number;
  /** Blocks of each level. */
  readonly depths: readonly number[];
  /** Ratio of the hidden channels of the MLPs to the channels of their level. */
  readonly mlpRatio: number;
  /** Whether the two branches of a block are scaled by learned gamma1 and gamma2. */
  readonly layerScale: boolean;
  /** 2 if missing, as in models converted by older versions. */
  readonly stemStride?: StemStride;
  /** Channels of the input; 3 if missing. */
  readonly inputChannels?: number;
}

/** Returns the channels of a network's input images. */
export function inputChannelsOf({ inputChannels = 3 }: GrootVTrunk): number {
  return inputChannels;
}

/** Computes the rows or columns of a level's grid from those of the image: each stride of 2 halves and rounds up. */
export function gridSize(pixels: number, level: number, stemStride: StemStride = 2): number {
  let size = pixels;
  for (let halvings = level + (stemStride === 2 ? 2 : 0); halvings > 0; halvings--)
    size = Math.ceil(size / 2);
  return size;
}

/** Architecture of a GrootV network (GrootVL, section 3.3). */
export interface GrootVArchitecture extends GrootVTrunk {
  /** Classes of the head; 0 without one. */
  readonly classes: number;
  /** Whether there is a convolution between the last level and the pooling; a bare backbone has none. */
  readonly convolutionHead: boolean;
}

/** How an image becomes the input of the model, as in the authors' evaluation. */
export interface Preprocessing {
  /** Side of the cropped square in pixels. */
  readonly size: number;
  readonly resize: 'short-side';
  readonly resampling: 'bicubic';
  readonly crop: 'centre';
  /** `any` if the number of channels is not three; nothing then defines their meaning. */
  readonly channels: 'RGB' | 'any';
  /** Range of values of the graph's `image` input. */
  readonly range: readonly [0, 255];
  /**
   * Mean that is subtracted and deviation that is divided by inside the graph, between `image` and `normalized`; for values
   * from 0 to 1, one per channel. GG-SSM, and every model whose number of channels is not three, has mean 0 and deviation 1.
   */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Metadata that all vision models share. */
export interface VisionMetadata {
  /** One name per class; null if unknown. */
  readonly classNames: readonly string[] | null;
  readonly source: { readonly file: string; readonly sha256: string; readonly weights: string };
  readonly quantization: string;
  /** Nodes that may be requested in addition to the outputs. */
  readonly nodes: readonly string[];
  readonly converter: { readonly name: 'tfjs-grootvl'; readonly version: string };
}

/** `userDefinedMetadata` of model.json. */
export interface GrootVMetadata extends VisionMetadata {
  readonly architecture: GrootVArchitecture & { readonly family: 'GrootV'; readonly parameters: number };
  readonly preprocessing: Preprocessing;
}

/**
 * Metadata of an exported `.safetensors` file: the image side of a classifier and the stride of its stem; names and colours
 * of classes as JSON; the configuration of a segmenter or detector, in the format of mmsegmentation and mmdetection; the
 * scan, as JSON.
 */
export const EXPORTED = {
  imageSize: 'image_size',
  stemStride: 'stem_stride',
  classNames: 'class_names',
  palette: 'palette',
  config: 'config',
  scan: 'grootvl_scan',
} as const;

/** Maximum side of the square that a model may request, in pixels. */
export const MAX_IMAGE_SIZE = 4096;
export const MAX_CLASSES = 1_000_000;
const MAX_INPUT_CHANNELS = 4096;
const CHANNEL_VALUE = number(-1000, 1000);
/** A mean or a deviation: one number per channel. */
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

/** Checks of {@link GrootVTrunk}, and of the parameter count. */
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

/** Check of untrusted metadata. */
export const GROOTV_METADATA: Check = (value, name) => {
  SCHEMA(value, name);
  const { architecture, preprocessing, classNames } = value as GrootVMetadata;
  checkOnePerClass(classNames, architecture.classes, `${name}.classNames`, 'names');
  const channels = inputChannelsOf(architecture);
  const values = listOf(CHANNEL_VALUE, channels, channels);
  for (const part of ['mean', 'deviation'] as const)
    values(preprocessing[part], `${name}.preprocessing.${part}`);
};

/** @throws {Error} if a list is present and does not have one item per class. */
export function checkOnePerClass(
  list: readonly unknown[] | null,
  classes: number,
  name: string,
  what: string,
): void {
  if (list === null || list.length === classes) return;
  throw new Error(`${name} has ${list.length} ${what}, expected one for each of ${classes} classes`);
}
