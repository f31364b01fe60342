/** The parts of the benchmark that can be run separately, with descriptions. */
export const PARTS = {
  ops: 'ops',
  products: 'matrix products',
  convolutions: 'convolutions',
  scaling: 'scaling',
  groups: 'decays that channels share',
  prediction: 'GrootV-T',
  page: 'GrootV-T, products and convolutions in a page',
  cold: 'GrootV-T, from loading to its first prediction',
  threads: 'GrootV-T on two threads, in a page',
  scans: 'scans of GrootV-T and GG-SSM',
  dense: 'UperNet and Mask R-CNN',
  training: 'training',
  language: 'GrootL, 130M parameters',
  images: 'runs over many images',
} as const;
export type Part = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as readonly Part[];
/** The default parts: runs over many images take minutes on two cores. */
export const USUAL_PARTS = PART_NAMES.filter((name) => name !== 'images');
