/** What of the benchmark can be measured by itself. */
export const PARTS = ['ops', 'products', 'scaling', 'prediction', 'language'] as const;
export type Part = (typeof PARTS)[number];
