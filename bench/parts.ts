/** What of the benchmark can be measured by itself, and what it is. */
export const PARTS = {
  ops: 'ops',
  products: 'matrix products',
  scaling: 'scaling',
  groups: 'decays that channels share',
  prediction: 'GrootV-T',
  threads: 'GrootV-T on two threads, in a page',
  scans: 'scans of GrootV-T and GG-SSM',
  dense: 'UperNet and Mask R-CNN',
  training: 'training',
  language: 'GrootL, 130M parameters',
} as const;
export type Part = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as readonly Part[];
