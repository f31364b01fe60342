/** Options of the conversion of segmenters and detectors. */
import type { Colour } from '../../plugin/models/dense_metadata.js';
import type { ProposalSettings } from '../../plugin/models/detector_metadata.js';

/** What may be said of a segmenter or detector in place of what its checkpoint says. */
export interface DenseOptions {
  /** Most pixels of the long and of the short side, to which pictures are resized. */
  readonly scale?: readonly [long: number, short: number];
  /** Sizes are rounded up to multiples of this by a second resize; null for none. */
  readonly multipleOf?: number | null;
  /** Zeros right and bottom, to multiples of this; 1 for none. */
  readonly padTo?: number;
  /** One colour a class. */
  readonly palette?: readonly Colour[];
  /** Of segmenters. */
  readonly mode?: 'whole' | 'slide';
  /** Of windows, height and width in pixels. */
  readonly cropSize?: readonly [height: number, width: number];
  readonly stride?: readonly [height: number, width: number];
  /** Of detectors. */
  readonly scoreThreshold?: number;
  readonly iouThreshold?: number;
  readonly maxDetections?: number;
  readonly maskThreshold?: number;
  readonly proposals?: Partial<ProposalSettings>;
}
