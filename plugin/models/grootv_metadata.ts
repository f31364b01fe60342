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

/** The sizes of a GrootV network (GrootVL, section 3.3). */
export interface GrootVArchitecture {
  /** `GrootV-T`, `-S` or `-B` for the published sizes, else `GrootV`. */
  readonly name: string;
  /** Channels of the first level; each further level has twice as many. */
  readonly channels: number;
  /** Blocks of each level. */
  readonly depths: readonly number[];
  /** Hidden channels of the MLPs over the channels of their level. */
  readonly mlpRatio: number;
  /** Whether the two branches of a block are scaled by learnt gamma1 and gamma2. */
  readonly layerScale: boolean;
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

/** `userDefinedMetadata` of model.json. */
export interface GrootVMetadata {
  readonly architecture: GrootVArchitecture & { readonly family: 'GrootV'; readonly parameters: number };
  readonly preprocessing: Preprocessing;
  /** One name a class; null when they are not known. */
  readonly classNames: readonly string[] | null;
  readonly source: { readonly file: string; readonly sha256: string; readonly weights: string };
  readonly quantization: string;
  /** Nodes that may be asked for beside the outputs. */
  readonly nodes: readonly string[];
  readonly converter: { readonly name: 'tfjs-grootvl'; readonly version: string };
}

/** Side of the largest square that a model may ask for, pixels. */
export const MAX_IMAGE_SIZE = 4096;
const MAX_CLASSES = 1_000_000;
const CHANNEL = listOf(number(-1000, 1000), 3, 3);

const SCHEMA = record({
  architecture: record({
    family: oneOf('GrootV'),
    name: text(100),
    channels: integer(1, 65_536),
    depths: listOf(integer(1, 1000), 1, 16),
    mlpRatio: number(0, 1000),
    layerScale: boolean,
    classes: integer(0, MAX_CLASSES),
    convolutionHead: boolean,
    parameters: optional(integer(0)),
  }),
  preprocessing: record({
    size: integer(1, MAX_IMAGE_SIZE),
    resize: oneOf('short-side'),
    resampling: oneOf('bicubic'),
    crop: oneOf('centre'),
    channels: oneOf('RGB'),
    range: optional(listOf(oneOf(0, 255), 2, 2)),
    mean: CHANNEL,
    deviation: CHANNEL,
  }),
  classNames: nullable(listOf(text(1000), 0, MAX_CLASSES)),
  source: optional(
    record({ file: optional(text(1000)), sha256: optional(text(100)), weights: optional(text(1000)) }),
  ),
  quantization: optional(text(100)),
  nodes: optional(listOf(text(1000), 0, 200_000)),
  converter: optional(record({ name: text(100), version: text(100) })),
});

/** What untrusted metadata may hold. */
export const GROOTV_METADATA: Check = (value, name) => {
  SCHEMA(value, name);
  const { architecture, classNames } = value as GrootVMetadata;
  if (classNames !== null && classNames.length !== architecture.classes) {
    throw new Error(
      `${name}.classNames has ${classNames.length} names, expected one for each of ${architecture.classes} classes`,
    );
  }
};
