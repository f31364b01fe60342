/** The sizes of Mask R-CNN that its graph needs. */
import type { MaskRCNNArchitecture } from '../../../plugin/models/detector_metadata.js';

/** The sizes inferred from names and shapes. */
export interface MaskRCNNSizes extends MaskRCNNArchitecture {
  /** Anchors per position. */
  readonly anchors: number;
  /** Hidden layers of the box head, before the last two. */
  readonly boxLayers: number;
  /** Side of the features that the box head takes. */
  readonly boxSide: number;
}
