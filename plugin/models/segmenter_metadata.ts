/** Metadata of UperNet models, written by the converter and read by `Segmenter`: `model.metadata` in tfjs. */
import { type Check, integer, listOf, nullable, oneOf, record } from './checks.js';
import { type DenseMetadata, type DenseTrunk, denseCheck, SIDE } from './dense_metadata.js';

/** Architecture of UperNet (T. Xiao et al., "Unified Perceptual Parsing", 2018) on GrootV. */
export interface UperNetArchitecture extends DenseTrunk {
  /** Channels of the head. */
  readonly headChannels: number;
  /** Sides of the pooled maps of the last level. */
  readonly poolScales: readonly number[];
}

/** How the logits of an image are computed. */
export interface SegmenterInference {
  /** `whole`: the image at once. `slide`: windows, whose logits are averaged where they overlap. */
  readonly mode: 'whole' | 'slide';
  /** Size of windows in pixels; null if the checkpoint does not specify it, as is usual for `whole`. */
  readonly cropSize: readonly [height: number, width: number] | null;
  readonly stride: readonly [height: number, width: number] | null;
}

/** `userDefinedMetadata` of model.json. */
export interface SegmenterMetadata extends DenseMetadata {
  readonly architecture: UperNetArchitecture & {
    readonly family: 'GrootV-UperNet';
    readonly parameters: number;
  };
  readonly inference: SegmenterInference;
}

const WINDOW = nullable(listOf(SIDE, 2, 2));

const FIELDS = denseCheck(
  'GrootV-UperNet',
  { headChannels: integer(1, 65_536), poolScales: listOf(integer(1, 1024), 0, 64) },
  { inference: record({ mode: oneOf('whole', 'slide'), cropSize: WINDOW, stride: WINDOW }) },
);

/** Check of untrusted metadata. */
export const SEGMENTER_METADATA: Check = (value, name) => {
  FIELDS(value, name);
  checkInference((value as SegmenterMetadata).inference, `${name}.inference`);
};

/** @throws {Error} if windows are requested without their sizes, or would leave gaps. */
export function checkInference({ mode, cropSize, stride }: SegmenterInference, name: string): void {
  if (mode === 'slide' && (cropSize === null || stride === null)) {
    throw new Error(`${name}: mode is slide, expected cropSize and stride`);
  }
  if (cropSize === null || stride === null) return;
  if (stride[0] > cropSize[0] || stride[1] > cropSize[1]) {
    throw new Error(
      `${name}: stride is [${stride}], cropSize [${cropSize}]: windows would leave gaps, expected a stride of at most the crop`,
    );
  }
}
