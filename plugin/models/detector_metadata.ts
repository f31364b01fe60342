/** Metadata of Mask R-CNN models, written by the converter and read by `Detector`: `model.metadata` in tfjs. */
import { boolean, type Check, integer, number, oneOf, optional, record } from './checks.js';
import { type DenseMetadata, type DenseTrunk, denseCheck, FRACTION } from './dense_metadata.js';
import { type UisMambaWeakening, WEAKENING_FIELDS } from './uis_mamba_metadata.js';

/**
 * Architecture of Mask R-CNN (K. He et al., 2017) with a feature pyramid, on GrootV or UIS-Mamba, for which `depatch`,
 * `useHsw`, `hswVarphi` and `poolSize` are those of `UisMambaArchitecture`.
 */
export interface MaskRCNNArchitecture extends DenseTrunk, Partial<UisMambaWeakening> {
  /** GrootV if missing. */
  readonly backbone?: 'UIS-Mamba';
  readonly depatch?: boolean;
  /** Channels of the feature pyramid. */
  readonly pyramidChannels: number;
  /** Channels of the linear layers of the box head. */
  readonly boxChannels: number;
  /** Channels of the convolutions of the mask head. */
  readonly maskChannels: number;
  /** Convolutions of the mask head before the upsampling. */
  readonly maskConvolutions: number;
  /** Whether a proposal has one box for all classes. */
  readonly classAgnosticBoxes: boolean;
  /** Whether a detection has one mask for all classes. */
  readonly classAgnosticMasks: boolean;
}

/** How proposals are selected. The graph has these values as attributes: changing the metadata has no effect. */
export interface ProposalSettings {
  /** Number of best anchors considered per level. */
  readonly perLevel: number;
  /** Number of proposals kept. */
  readonly maxOutput: number;
  /** A proposal is dropped if its overlap with a better one is larger. */
  readonly iouThreshold: number;
  /** Proposals are dropped unless they are wider and higher than this, in pixels of the network's input. */
  readonly minSize: number;
}

/** How detections are selected. Except for the mask threshold, these are attributes of the graph. */
export interface DetectorTesting {
  /** Minimum score (exclusive) of a detection. */
  readonly scoreThreshold: number;
  /** A detection is dropped if its overlap with a better one of its class is larger. */
  readonly iouThreshold: number;
  /** Maximum number of detections per image. */
  readonly maxDetections: number;
  /** Minimum probability (inclusive) of a mask's pixels. */
  readonly maskThreshold: number;
  readonly proposals: ProposalSettings;
}

/** `userDefinedMetadata` of model.json. */
export interface DetectorMetadata extends DenseMetadata {
  readonly architecture: MaskRCNNArchitecture & {
    readonly family: 'GrootV-MaskRCNN';
    readonly parameters: number;
  };
  readonly testing: DetectorTesting;
}

const CHANNELS = integer(1, 65_536);
/** Maximum number of boxes per image, all of which non-maximum suppression compares with one another. */
export const MAX_BOXES = 100_000;

const UIS_MAMBA = record({ depatch: optional(boolean), ...WEAKENING_FIELDS });

const SCHEMA = denseCheck(
  'GrootV-MaskRCNN',
  {
    pyramidChannels: CHANNELS,
    boxChannels: CHANNELS,
    maskChannels: CHANNELS,
    maskConvolutions: integer(0, 64),
    classAgnosticBoxes: boolean,
    classAgnosticMasks: boolean,
    backbone: optional(oneOf('UIS-Mamba')),
  },
  {
    testing: record({
      scoreThreshold: FRACTION,
      iouThreshold: FRACTION,
      maxDetections: integer(1, MAX_BOXES),
      maskThreshold: FRACTION,
      proposals: record({
        perLevel: integer(1, MAX_BOXES),
        maxOutput: integer(1, MAX_BOXES),
        iouThreshold: FRACTION,
        minSize: number(0, 16_384),
      }),
    }),
  },
);

/** Check of untrusted metadata. */
export const DETECTOR_METADATA: Check = (value, name) => {
  SCHEMA(value, name);
  const { architecture } = value as DetectorMetadata;
  if (architecture.backbone) UIS_MAMBA(architecture, `${name}.architecture`);
};
