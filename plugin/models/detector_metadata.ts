/** What the converter writes into a Mask R-CNN model and what `Detector` reads from it: `model.metadata` in tfjs. */
import { boolean, type Check, integer, number, oneOf, optional, record } from './checks.js';
import { type DenseMetadata, type DenseTrunk, denseCheck, FRACTION } from './dense_metadata.js';
import { type UisMambaWeakening, WEAKENING_FIELDS } from './uis_mamba_metadata.js';

/**
 * The sizes of Mask R-CNN (K. He et al., 2017) with a feature pyramid, on GrootV or UIS-Mamba, whose `depatch`, `useHsw`,
 * `hswVarphi` and `poolSize` are those of `UisMambaArchitecture`.
 */
export interface MaskRCNNArchitecture extends DenseTrunk, Partial<UisMambaWeakening> {
  /** GrootV where it is not there. */
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
  /** One box for all classes of a proposal. */
  readonly classAgnosticBoxes: boolean;
  /** One mask for all classes of a detection. */
  readonly classAgnosticMasks: boolean;
}

/** How proposals are chosen. They are attributes of the graph: changing the metadata changes nothing. */
export interface ProposalSettings {
  /** The best of a level that are looked at. */
  readonly perLevel: number;
  /** Proposals kept. */
  readonly maxOutput: number;
  /** A proposal that overlaps a better one by more is dropped. */
  readonly iouThreshold: number;
  /** Proposals that are not wider and higher than this are dropped, pixels of the network's input. */
  readonly minSize: number;
}

/** How detections are chosen; but for the masks they are attributes of the graph. */
export interface DetectorTesting {
  /** Detections have scores above this. */
  readonly scoreThreshold: number;
  /** A detection that overlaps a better one of its class by more is dropped. */
  readonly iouThreshold: number;
  /** Detections of a picture. */
  readonly maxDetections: number;
  /** Pixels of a mask are those of at least this probability. */
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
/** Boxes of a picture: what the non-maximum suppression has to compare with one another. */
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

/** What untrusted metadata may hold. */
export const DETECTOR_METADATA: Check = (value, name) => {
  SCHEMA(value, name);
  const { architecture } = value as DetectorMetadata;
  if (architecture.backbone) UIS_MAMBA(architecture, `${name}.architecture`);
};
