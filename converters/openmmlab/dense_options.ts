/** Conversion options for segmenters and detectors. */
import type { Colour } from '../../plugin/models/dense_metadata.js';
import type { ProposalSettings } from '../../plugin/models/detector_metadata.js';

/** Settings of a segmenter or detector that override those in its checkpoint. */
export interface DenseOptions {
  /** Maximum size in pixels of the long and the short side, to which images are resized. */
  readonly scale?: readonly [long: number, short: number];
  /** A second resize rounds sizes up to multiples of this; null for none. */
  readonly multipleOf?: number | null;
  /** Zero-padding at the right and bottom to multiples of this; 1 for none. */
  readonly padTo?: number;
  /** One colour per class. */
  readonly palette?: readonly Colour[];
  /** Segmenters only. */
  readonly mode?: 'whole' | 'slide';
  /** Size of the sliding windows, height and width in pixels. */
  readonly cropSize?: readonly [height: number, width: number];
  readonly stride?: readonly [height: number, width: number];
  /** Detectors only. */
  readonly scoreThreshold?: number;
  readonly iouThreshold?: number;
  readonly maxDetections?: number;
  readonly maskThreshold?: number;
  readonly proposals?: Partial<ProposalSettings>;
}
