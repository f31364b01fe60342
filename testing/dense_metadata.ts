/** Metadata of a small segmenter and a small detector, as the converter writes them. */
import type { DetectorMetadata } from '../plugin/models/detector_metadata.js';
import type { SegmenterMetadata } from '../plugin/models/segmenter_metadata.js';

const TRUNK = {
  channels: 8,
  depths: [1, 1, 2, 1],
  mlpRatio: 4,
  layerScale: false,
  outputNormalization: null,
  parameters: 1000,
};

const COMMON = {
  preprocessing: {
    scale: [96, 64],
    keepRatio: true,
    resampling: 'opencv-bilinear',
    channels: 'RGB',
    range: [0, 255],
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
    multipleOf: null,
    padTo: 1,
  },
  source: { file: 'tiny.pth', sha256: '0'.repeat(64), weights: 'state_dict' },
  quantization: 'none',
  nodes: ['features_0'],
  converter: { name: 'tfjs-grootvl', version: '0.0.0' },
} as const;

export const SEGMENTER: SegmenterMetadata = {
  ...COMMON,
  architecture: {
    family: 'GrootV-UperNet',
    name: 'GrootV + UperNet',
    ...TRUNK,
    classes: 3,
    headChannels: 16,
    poolScales: [1, 2, 3, 6],
  },
  inference: { mode: 'whole', cropSize: null, stride: null },
  classNames: ['wall', 'floor', 'cat'],
  palette: [
    [120, 120, 120],
    [80, 50, 50],
    [11, 102, 255],
  ],
};

export const DETECTOR: DetectorMetadata = {
  ...COMMON,
  preprocessing: { ...COMMON.preprocessing, padTo: 32 },
  architecture: {
    family: 'GrootV-MaskRCNN',
    name: 'GrootV + Mask R-CNN',
    ...TRUNK,
    classes: 2,
    pyramidChannels: 32,
    boxChannels: 64,
    maskChannels: 32,
    maskConvolutions: 4,
    classAgnosticBoxes: false,
    classAgnosticMasks: false,
  },
  testing: {
    scoreThreshold: 0.05,
    iouThreshold: 0.5,
    maxDetections: 100,
    maskThreshold: 0.5,
    proposals: { perLevel: 1000, maxOutput: 1000, iouThreshold: 0.7, minSize: 0 },
  },
  classNames: null,
  palette: null,
};
